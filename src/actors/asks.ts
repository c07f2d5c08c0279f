/**
 * Questions waiting for their answers: one Map, and one timer for the earliest deadline (not one per question).
 * Deadlines are rounded up to a grain, so that ten thousand of them cost a hundred looks at the Map a second, not ten
 * thousand; a heap would be exact, and would keep what is long answered until its time comes.
 * Every ask ends: by its reply, by a `failure`, or at its deadline with UNKNOWN_OUTCOME, because then nobody here
 * knows whether the other side acted.
 */
import { TricordError, isErrorCode } from '../base/errors.ts'
import type { Millis } from '../base/ids.ts'
import type { Clock, Timer } from '../io/clock.ts'
import { type Envelope, FAILURE } from './envelope.ts'

const GRAIN_MS: Millis = 10

interface Pending {
  readonly to: string
  readonly msgType: string
  readonly deadline: Millis
  readonly resolve: (reply: Envelope) => void
  readonly reject: (error: TricordError) => void
}

export class Asks {
  readonly #clock: Clock
  readonly #pending = new Map<number, Pending>()
  #timer: Timer | null = null
  #timerAt: Millis = Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#pending.size
  }

  add(msgId: number, to: string, msgType: string, timeoutMs: Millis): Promise<Envelope> {
    const deadline = Math.ceil((this.#clock.now() + timeoutMs) / GRAIN_MS) * GRAIN_MS
    const promise = new Promise<Envelope>((resolve, reject) => {
      this.#pending.set(msgId, { to, msgType, deadline, resolve, reject })
    })
    this.#arm(deadline)
    return promise
  }

  /** Ends the ask that this envelope answers; false where nobody waits (any more). */
  settle(reply: Envelope): boolean {
    const pending = this.#pending.get(reply.inReplyTo)
    if (!pending) return false
    this.#pending.delete(reply.inReplyTo)
    if (reply.msgType === FAILURE) pending.reject(toError(reply))
    else pending.resolve(reply)
    return true
  }

  fail(msgId: number, error: TricordError): void {
    const pending = this.#pending.get(msgId)
    if (!pending) return
    this.#pending.delete(msgId)
    pending.reject(error)
  }

  close(): void {
    this.#timer?.cancel()
    for (const msgId of this.#pending.keys()) this.fail(msgId, new TricordError('UNKNOWN_OUTCOME', 'this node is stopping'))
  }

  #arm(deadline: Millis): void {
    if (deadline >= this.#timerAt) return
    this.#timer?.cancel()
    this.#timerAt = deadline
    this.#timer = this.#clock.after(Math.max(0, deadline - this.#clock.now()), () => this.#expire())
  }

  #expire(): void {
    this.#timer = null
    this.#timerAt = Infinity
    const now = this.#clock.now()
    let next = Infinity
    for (const [msgId, { deadline, to, msgType }] of this.#pending) {
      if (deadline <= now) this.fail(msgId, new TricordError('UNKNOWN_OUTCOME', `${to} did not answer ${msgType} in time`))
      else next = Math.min(next, deadline)
    }
    if (next !== Infinity) this.#arm(next)
  }
}

function toError(reply: Envelope): TricordError {
  const payload = reply.payload
  if (!Array.isArray(payload)) return new TricordError('UNKNOWN_OUTCOME', 'a failure without a reason')
  const [code, message] = payload as readonly unknown[]
  const known = typeof code === 'string' && isErrorCode(code) ? code : 'UNKNOWN_OUTCOME'
  return new TricordError(known, typeof message === 'string' ? message : known)
}
