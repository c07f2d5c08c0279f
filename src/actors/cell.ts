/** One actor with its mailbox, its context, and the callbacks that wait to enter its next turn. */
import type { TricordError } from '../base/errors.ts'
import type { ErrorCode } from '../base/errors.ts'
import type { Millis, NodeId } from '../base/ids.ts'
import type { Clock, Timer } from '../io/clock.ts'
import type { Random } from '../io/random.ts'
import type { Actor, ActorContext } from './actor.ts'
import { type ActorId, type Envelope, FAILURE, type Plain } from './envelope.ts'
import { Mailbox } from './mailbox.ts'

/** What a cell needs of its system. */
export interface CellHost {
  readonly node: NodeId
  readonly clock: Clock
  readonly random: Random
  post(envelope: Omit<Envelope, 'msgId' | 'timestamp'>): void
  forward(envelope: Envelope): void
  wake(cell: Cell): void
  bug(error: unknown): void
}

export class Cell implements ActorContext {
  readonly self: ActorId
  readonly node: NodeId
  readonly clock: Clock
  readonly random: Random
  readonly mailbox: Mailbox
  readonly actor: Actor
  /** Already in the list of cells with work. */
  queued = false
  stopped = false
  readonly #host: CellHost
  #entering: (() => void)[] = []

  constructor(self: ActorId, actor: Actor, mailboxMax: number, host: CellHost) {
    this.self = self
    this.actor = actor
    this.node = host.node
    this.clock = host.clock
    this.random = host.random
    this.mailbox = new Mailbox(mailboxMax)
    this.#host = host
  }

  get hasWork(): boolean {
    return !this.stopped && (this.mailbox.length > 0 || this.#entering.length > 0)
  }

  /** One turn: callbacks, then up to `max` envelopes, then flush. */
  turn(max: number): number {
    const entering = this.#entering
    if (entering.length > 0) {
      this.#entering = []
      for (const run of entering) run()
    }
    let taken = 0
    while (taken < max && !this.stopped) {
      const envelope = this.mailbox.shift()
      if (!envelope) break
      taken++
      this.actor.receive(envelope, this)
    }
    if (!this.stopped) this.actor.flush?.(this)
    return taken
  }

  send(to: ActorId, msgType: string, payload: Plain, traceparent = ''): void {
    this.#host.post({ senderId: this.self, receiverId: to, msgType, payload, inReplyTo: 0, timeoutMs: 0, traceparent })
  }

  reply(request: Envelope, msgType: string, payload: Plain): void {
    const { senderId, msgId, traceparent } = request
    this.#host.post({ senderId: this.self, receiverId: senderId, msgType, payload, inReplyTo: msgId, timeoutMs: 0, traceparent })
  }

  fail(request: Envelope, code: ErrorCode, message: string): void {
    this.reply(request, FAILURE, [code, message])
  }

  forward(request: Envelope, to: ActorId): void {
    const { senderId, msgId, msgType, timestamp, inReplyTo, timeoutMs, traceparent, payload } = request
    this.#host.forward({ receiverId: to, senderId, msgId, msgType, timestamp, inReplyTo, timeoutMs, traceparent, payload })
  }

  after(delayMs: Millis, msgType: string, payload: Plain = null): Timer {
    return this.clock.after(delayMs, () => {
      if (!this.stopped) this.send(this.self, msgType, payload)
    })
  }

  enter(run: () => void): void {
    if (this.stopped) return
    this.#entering.push(run)
    this.#host.wake(this)
  }

  pipeToSelf<T>(work: Promise<T>, done: (value: T) => void, failed?: (error: Error) => void): void {
    work.then(
      (value) => this.enter(() => done(value)),
      (error: Error | TricordError) => {
        if (failed) this.enter(() => failed(error))
        else this.#host.bug(error)
      },
    )
  }
}
