/** A lock machine on a test bed: time by hand, a store in memory, answers and events in the order they came. */
import type { ApplyContext } from '../../src/raft/machine.ts'
import type { Plain } from '../../src/actors/envelope.ts'
import type { Refused } from '../../src/base/refusal.ts'
import type { AcquireCommand, GrantView, LockCommand, LockReply, LockStatus, Mode } from '../../src/lock/types.ts'
import type { LockEvent, SessionEvent } from '../../src/lock/events.ts'
import { createLockMachine } from '../../src/lock/machine.ts'
import type { LockMachine } from '../../src/lock/machine.ts'
import { decodeEvent } from '../../src/lock/events.ts'
import { decodeReply } from '../../src/lock/replies.ts'
import { encodeCommand } from '../../src/lock/codec.ts'

export interface Settled {
  readonly ticket: number
  readonly reply: LockReply
}

export class Bed implements ApplyContext {
  readonly index = 1
  readonly term = 1
  time = 0
  ticket = 0
  machine: LockMachine = createLockMachine()
  readonly store = new Map<string, Uint8Array>()
  settledLog: Settled[] = []
  events: (LockEvent | SessionEvent)[] = []

  settle(ticket: number, reply: Plain): void {
    if (this.settledLog.some((settled) => settled.ticket === ticket)) throw new Error(`ticket ${ticket} is settled twice`)
    this.settledLog.push({ ticket, reply: decodeReply(reply) })
  }

  emit(event: Plain): void {
    const decoded = decodeEvent(event)
    if (decoded === null) throw new Error('an event that cannot be read')
    this.events.push(decoded)
  }

  /** Applies a command as an entry of its own; null: it waits. */
  run(command: LockCommand): LockReply | null {
    this.machine.advance(this)
    return this.runMore(command)
  }

  /** Applies a command as one more of the same entry. */
  runMore(command: LockCommand): LockReply | null {
    this.ticket += 1
    const reply = this.machine.apply(this, this.ticket, encodeCommand(command))
    this.machine.check()
    return reply === null ? null : decodeReply(reply)
  }

  /** Lets time pass, and expires what is due. */
  pass(ms: number): void {
    this.time += ms
    this.machine.advance(this)
    this.machine.check()
  }

  cancel(ticket: number): void {
    this.machine.advance(this)
    this.machine.cancel(this, ticket)
    this.machine.check()
  }

  status(name: string, namespace = 'default'): LockStatus {
    return this.machine.query({ type: 'lock_status', namespace, name }, this.time) as unknown as LockStatus
  }

  /** The answer to a ticket that waited. */
  answerOf(ticket: number): LockReply | undefined {
    return this.settledLog.find((settled) => settled.ticket === ticket)?.reply
  }

  drain(): number {
    let writes = 0
    const write = (key: Uint8Array, value: Uint8Array | null): void => {
      writes += 1
      const hex = Buffer.from(key).toString('hex')
      if (value === null) {
        if (!this.store.delete(hex)) throw new Error('a record is deleted that was never written')
      } else this.store.set(hex, Uint8Array.from(value))
    }
    this.machine.drain(write, () => {
      throw new Error('a lock machine has no cold records')
    })
    return writes
  }

  /** A second bed with the same state, out of the records in the order that `sort` gives them. */
  copy(sort: (keys: string[]) => string[] = (keys) => keys): Bed {
    this.drain()
    const bed = new Bed()
    bed.machine = createLockMachine({ hashSeed: 99 })
    bed.time = this.time
    bed.ticket = this.ticket
    for (const key of sort([...this.store.keys()])) {
      const value = this.store.get(key) as Uint8Array
      bed.machine.load(Uint8Array.from(Buffer.from(key, 'hex')), value)
      bed.store.set(key, value)
    }
    bed.machine.loaded()
    bed.machine.advance(bed)
    bed.machine.check()
    return bed
  }

  // ---- short forms ----

  acquire(name: string, mode: Mode, over: Partial<AcquireCommand> = {}): LockReply | null {
    return this.run(acquireCommand([[name, mode]], over))
  }

  /** Acquires and expects to be granted at once. */
  take(name: string, mode: Mode = 'exclusive', over: Partial<AcquireCommand> = {}): GrantView {
    return grantOf(this.acquire(name, mode, over))
  }

  /** Acquires and expects to wait; returns the ticket. */
  queue(name: string, mode: Mode = 'exclusive', over: Partial<AcquireCommand> = {}): number {
    const reply = this.acquire(name, mode, { waitMs: 60_000, ...over })
    if (reply !== null) throw new Error(`expected to wait: ${JSON.stringify(reply)}`)
    return this.ticket
  }

  release(grant: GrantView, session: { id: string; proof: string } | null = null): LockReply | null {
    return this.run({ type: 'lock_release', namespace: 'default', name: grant.name, grantId: grant.grantId, session })
  }

  open(ttlMs = 30_000, proof = 'p', lingers = false): { id: string; proof: string } {
    const reply = this.run({ type: 'session_open', namespace: 'default', proof, ttlMs, lingers, name: 'worker', metadata: null })
    if (reply?.type !== 'opened') throw new Error(`expected a session: ${JSON.stringify(reply)}`)
    return { id: reply.session, proof }
  }
}

export function acquireCommand(items: readonly (readonly [string, Mode])[], over: Partial<AcquireCommand> = {}): AcquireCommand {
  return {
    type: 'lock_acquire',
    namespace: 'default',
    items: items.map(([name, mode]) => ({ name, mode })),
    session: null,
    implicitProof: 'i',
    owner: '',
    waitMs: 0,
    leaseMs: 30_000,
    priority: 0,
    reentrant: false,
    metadata: null,
    ...over,
  }
}

export function grantOf(reply: LockReply | null | undefined): GrantView {
  if (reply?.type !== 'granted') throw new Error(`expected a grant: ${JSON.stringify(reply)}`)
  return reply.grants[0] as GrantView
}

export function refusalOf(reply: LockReply | null | undefined): Refused {
  if (reply?.type !== 'refused') throw new Error(`expected a refusal: ${JSON.stringify(reply)}`)
  return reply
}
