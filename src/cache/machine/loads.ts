/**
 * Who loads what, and who waits for it: one loader for a key at a time, under a lease. The load of a key is there as long as
 * its token counts.
 */
import { assert } from '../../base/assert.ts'
import type { Changes } from '../../base/changes.ts'
import { Deadlines } from '../../base/deadlines.ts'
import type { Millis } from '../../base/ids.ts'
import type { Ordered } from '../../base/lazy-heap.ts'
import type { LineId } from '../coherence/protocol.ts'
import { lineOf } from '../line-id.ts'
import type { EntryName } from '../types.ts'
import type { LineVersion } from './commands.ts'
import { LOAD, WAITER } from './kinds.ts'
import { Stored } from './stored.ts'

abstract class Patient extends Stored implements Ordered {
  readonly name: EntryName
  /** Versions of the tags as they were before anything was loaded. */
  readonly tags: readonly LineVersion[]
  readonly deadline: Millis
  place = -1
  abstract readonly order: number

  constructor({ namespace, cache, key }: EntryName, tags: readonly LineVersion[], deadline: Millis) {
    super()
    this.name = { namespace, cache, key }
    this.tags = tags
    this.deadline = deadline
  }

  get line(): LineId {
    return lineOf(this.name)
  }
}

/** `deadline`: when the lease ends. */
export class Load extends Patient {
  readonly kind = LOAD
  readonly token: number
  /** By their tickets, first come first served. */
  waiters = new Map<number, LoadWaiter>()

  constructor(name: EntryName, tags: readonly LineVersion[], deadline: Millis, token: number) {
    super(name, tags, deadline)
    this.token = token
  }

  get order(): number {
    return this.token
  }
}

/** `deadline`: when it has waited enough. */
export class LoadWaiter extends Patient {
  readonly kind = WAITER
  readonly ticket: number

  constructor(name: EntryName, tags: readonly LineVersion[], deadline: Millis, ticket: number) {
    super(name, tags, deadline)
    this.ticket = ticket
  }

  get order(): number {
    return this.ticket
  }
}

export class Loads {
  readonly #changes: Changes<Stored>
  /** In the order of their tokens. */
  readonly byLine = new Map<LineId, Load>()
  readonly waiters = new Map<number, LoadWaiter>()
  readonly leases = new Deadlines<Load>()
  readonly patience = new Deadlines<LoadWaiter>()

  constructor(changes: Changes<Stored>) {
    this.#changes = changes
  }

  get size(): number {
    return this.byLine.size
  }

  /** A line is a text that was just made: to look it up costs more than to know that there is nothing. */
  find(line: LineId): Load | undefined {
    return this.byLine.size === 0 ? undefined : this.byLine.get(line)
  }

  begin(load: Load): void {
    this.link(load)
    this.#changes.touched(load)
  }

  link(load: Load): void {
    this.byLine.set(load.line, load)
    this.leases.add(load)
  }

  /** Its token counts no more; who waits for it is for the caller to answer. */
  end(load: Load): void {
    this.byLine.delete(load.line)
    this.leases.remove(load)
    this.#changes.removed(load)
  }

  wait(load: Load, waiter: LoadWaiter): void {
    this.linkWaiter(load, waiter)
    this.#changes.touched(waiter)
  }

  linkWaiter(load: Load, waiter: LoadWaiter): void {
    load.waiters.set(waiter.ticket, waiter)
    this.waiters.set(waiter.ticket, waiter)
    this.patience.add(waiter)
  }

  /** It is answered. */
  unwait(waiter: LoadWaiter): void {
    this.byLine.get(waiter.line)?.waiters.delete(waiter.ticket)
    this.waiters.delete(waiter.ticket)
    this.patience.remove(waiter)
    this.#changes.removed(waiter)
  }

  nextDeadline(): Millis {
    return Math.min(this.leases.first()?.deadline ?? Infinity, this.patience.first()?.deadline ?? Infinity)
  }

  check(): void {
    this.leases.check()
    this.patience.check()
    let [waiting, token] = [0, 0]
    for (const [line, load] of this.byLine) {
      assert(load.line === line && load.token > token, 'loads rise')
      token = load.token
      let last = 0
      for (const [ticket, waiter] of load.waiters) {
        assert(ticket > last && this.waiters.get(ticket) === waiter && waiter.line === line, 'who waits for a load')
        last = ticket
      }
      waiting += load.waiters.size
    }
    assert(this.leases.size === this.byLine.size, 'every load has a lease')
    assert(waiting === this.waiters.size && waiting === this.patience.size, 'who waits by load, ticket and deadline differ')
  }
}
