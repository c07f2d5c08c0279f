/**
 * This node's copies of the lines of one partition: drives a controller, and turns its tickets into promises.
 */
import { TricordError } from '../../base/errors.ts'
import type { Millis, NodeId } from '../../base/ids.ts'
import type { Clock } from '../../io/clock.ts'
import { Controller } from '../coherence/controller.ts'
import { CONTROLLER_DEFAULTS } from '../coherence/controller-port.ts'
import type { CopyStore } from '../coherence/copies.ts'
import type { Held, LineId, ToHome, ToNode } from '../coherence/protocol.ts'
import type { LineState } from '../types.ts'
import { Wakeup } from './wakeup.ts'

export interface CopiesDeps {
  readonly clock: Clock
  /** Of this node's boot. */
  readonly life: number
  readonly store: CopyStore
  /** null: to whoever leads the partition. */
  readonly send: (partition: number, to: NodeId | null, message: ToHome) => void
  /** Puts into the log what this node wrote as the owner of the line; tells when it is certain whether it is there. */
  readonly flush: (line: LineId, own: number, version: number, held: Held, done: (isCommitted: boolean) => void) => void
  /** Acknowledged writes of an owned line are gone. */
  readonly onLost: (line: LineId, count: number) => void
  /** What lives longer by being read was read. */
  readonly onSlidingRead: (line: LineId, slidingMs: Millis) => void
}

interface Asked {
  readonly line: LineId
  readonly resolve: (held: Held) => void
  readonly reject: (error: TricordError) => void
}

export class PartitionCopies {
  readonly controller: Controller
  readonly #deps: CopiesDeps
  readonly #wakeup: Wakeup
  readonly #asked = new Map<number, Asked>()
  #ticket = 0

  constructor(partition: number, deps: CopiesDeps) {
    this.#deps = deps
    this.#wakeup = new Wakeup(deps.clock, () => this.#tick())
    this.controller = new Controller({ ...CONTROLLER_DEFAULTS, life: deps.life }, deps.store, {
      send: (to, message) => deps.send(partition, to, message),
      answer: (ticket, held, until) => this.#answer(ticket, held, until),
      flush: (line, own, version, held) => deps.flush(line, own, version, held, (isCommitted) => this.#flushed(line, own, isCommitted)),
      lost: deps.onLost,
      failed: (ticket) => this.#take(ticket)?.reject(unreachable()),
    })
  }

  read(line: LineId, timeoutMs: Millis): Held | Promise<Held> {
    const { clock, onSlidingRead } = this.#deps
    const now = clock.now()
    const ticket = ++this.#ticket
    const copy = this.controller.load(line, ticket, now + timeoutMs, now)
    if (copy !== null) {
      if (copy.held.slidingMs > 0) onSlidingRead(line, copy.held.slidingMs)
      return copy.until === Infinity ? copy.held : { ...copy.held, ttlLeftMs: copy.until - now }
    }
    const answer = new Promise<Held>((resolve, reject) => this.#asked.set(ticket, { line, resolve, reject }))
    this.#look()
    return answer
  }

  stateOf(line: LineId): LineState {
    return this.controller.stateOf(line, this.#deps.clock.now())
  }

  receive(from: NodeId, message: ToNode): void {
    this.controller.receive(from, message, this.#deps.clock.now())
    this.#look()
  }

  close(): void {
    this.#wakeup.cancel()
    for (const ticket of this.#asked.keys()) this.#take(ticket)?.reject(new TricordError('STARTING', 'this node is stopping'))
  }

  #flushed(line: LineId, own: number, isCommitted: boolean): void {
    this.controller.flushed(line, own, isCommitted, this.#deps.clock.now())
    this.#look()
  }

  #tick(): void {
    this.controller.tick(this.#deps.clock.now())
    this.#look()
  }

  #look(): void {
    this.#wakeup.by(this.controller.dueAt)
  }

  #answer(ticket: number, held: Held, until: Millis): void {
    const ttlLeftMs = until === Infinity ? null : Math.max(0, until - this.#deps.clock.now())
    const asked = this.#take(ticket)
    if (asked === undefined) return
    if (held.slidingMs > 0) this.#deps.onSlidingRead(asked.line, held.slidingMs)
    asked.resolve(ttlLeftMs === held.ttlLeftMs ? held : { ...held, ttlLeftMs })
  }

  #take(ticket: number): Asked | undefined {
    const asked = this.#asked.get(ticket)
    this.#asked.delete(ticket)
    return asked
  }
}

function unreachable(): TricordError {
  return new TricordError('NO_QUORUM', 'the home of the key did not answer in time, and no copy here may be read')
}
