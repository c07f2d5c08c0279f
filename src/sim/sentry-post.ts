/**
 * What somebody who alone uses a queue, with one message in it, knows of that message, in the cluster time that decides. All
 * times are spans from `lo` to `hi`: the entry of a call is applied at some T between its question and its answer.
 *
 *   enqueued ──delay──> visible ──(back-off)── leased ──> acknowledged, or back        goes when its time to live is over
 *
 *   early      delivered before it was visible          withheld    not delivered though it was there for as long as one waited
 *   outlived   delivered after its time to live         short       a lease that ended before its time
 *   late       settled after the end of its lease       attempt     not counted as it should be
 *   full       another was taken in beside it, or was not though it is gone (the queue holds one)
 *
 * A lease ends by the first entry that is not before its deadline, and the back-off counts from that entry, which may be long after
 * where nobody led meanwhile. So the message is certain to be back only a back-off after the first T that was seen beyond the deadline.
 */
import type { Millis } from '../base/ids.ts'
import type { DeliveredMessage } from '../queue/types.ts'
import { SimFailure } from './world.ts'

export interface Span {
  readonly lo: Millis
  readonly hi: Millis
}

const NEVER: Span = { lo: Infinity, hi: Infinity }

export function after({ lo, hi }: Span, ms: Millis): Span {
  return { lo: lo + ms, hi: hi + ms }
}

export interface SentryPostOptions {
  readonly queue: string
  readonly backoffMs: Millis
  /** The first T from this one on that an entry is known to have had; Infinity: none. */
  readonly firstFrom: (time: Millis) => Millis
  /** When it was enqueued. */
  readonly entered: Span
  readonly delayMs: Millis
  readonly ttlMs: Millis
}

export class SentryPost {
  readonly #queue: string
  readonly #backoffMs: Millis
  readonly #firstFrom: (time: Millis) => Millis
  #visible: Span
  #gone: Span
  #failures: Span = { lo: 0, hi: 0 }
  /** Of the lease that lives, perhaps. */
  #end: Span = NEVER
  /** Of the lease that was left alone, until an entry beyond it is known of. */
  #isOverBy: Millis = Infinity
  #id = ''
  #token = 0

  constructor({ queue, backoffMs, firstFrom, entered, delayMs, ttlMs }: SentryPostOptions) {
    this.#queue = queue
    this.#backoffMs = backoffMs
    this.#firstFrom = firstFrom
    this.#visible = after(entered, delayMs)
    this.#gone = ttlMs === 0 ? NEVER : after(this.#visible, ttlMs)
  }

  delivered({ id, token, attempt }: DeliveredMessage, asked: Span, visibilityMs: Millis): void {
    const { lo, hi } = this.#failures
    this.#isOverBy = Infinity
    if (asked.hi < this.#visible.lo) this.#fail('early', `visible at ${this.#visible.lo}, delivered by ${asked.hi}`)
    if (asked.lo >= this.#gone.hi) this.#fail('outlived', `gone by ${this.#gone.hi}, asked for at ${asked.lo}`)
    if (attempt < lo + 1 || attempt > hi + 1) this.#fail('attempt', `attempt ${attempt} after ${lo} to ${hi} failures`)
    if (token <= this.#token || (this.#id !== '' && id !== this.#id)) this.#fail('token', `${id} ${token} after ${this.#id} ${this.#token}`)
    this.#id = id
    this.#token = token
    this.#failures = { lo: attempt - 1, hi: attempt - 1 }
    this.#end = after(asked, visibilityMs)
  }

  /** A dequeue that waited for `waitMs` brought nothing. Gives whether the message is gone for good. */
  missed(asked: Span, waitMs: Millis, visibilityMs: Millis): boolean {
    this.#look()
    // It may have been leased, and the lease over before the answer left.
    if (asked.hi - asked.lo >= visibilityMs && this.#visible.lo <= asked.hi) {
      this.#failures = { lo: this.#failures.lo, hi: this.#failures.hi + 1 }
      this.#visible = { lo: this.#visible.lo, hi: Math.max(this.#visible.hi, asked.hi + this.#backoffMs) }
    } else if (this.#visible.hi <= asked.lo + waitMs && asked.hi < this.#gone.lo) {
      this.#fail('withheld', `visible by ${this.#visible.hi}, and not delivered from ${asked.lo} on for ${waitMs} ms`)
    }
    // A lease that lives is over first.
    return asked.lo >= this.#gone.hi && asked.lo >= this.#visible.hi
  }

  /** The lease is left alone until it is over. */
  leftAlone(): void {
    const { lo, hi } = this.#end
    this.#back({ lo: lo + this.#backoffMs, hi: Infinity }, true)
    this.#isOverBy = hi
  }

  /** An extension, where `extensionMs` is not null; else it is over, acknowledged or given back. Gives whether it was in time. */
  settled(isOk: boolean, asked: Span, extensionMs: Millis | null): boolean {
    if (isOk && asked.lo >= this.#end.hi) this.#fail('late', `its lease was over at ${this.#end.hi}, and it was settled at ${asked.lo}`)
    if (!isOk && asked.hi < this.#end.lo) this.#fail('short', `its lease was to last until ${this.#end.lo}, and was over by ${asked.hi}`)
    if (!isOk) {
      // Over by the entry that says so.
      this.#back(after({ lo: this.#end.lo, hi: asked.hi }, this.#backoffMs), true)
    } else if (extensionMs !== null) this.#end = after(asked, extensionMs)
    return isOk
  }

  nacked(asked: Span, delayMs: Millis | null, counts: boolean): void {
    this.#back(after(asked, delayMs ?? this.#backoffMs), counts)
  }

  /** Another was enqueued, and taken in or not. */
  crowded(isTaken: boolean, asked: Span): void {
    this.#look()
    const isGone = this.#end === NEVER && asked.lo >= this.#gone.hi && asked.lo >= this.#visible.hi
    if (isTaken && asked.hi < this.#gone.lo) this.#fail('full', `another was taken in by ${asked.hi}`)
    if (!isTaken && isGone) this.#fail('full', `it is gone since ${this.#gone.hi}, and another was refused at ${asked.lo}`)
  }

  /** Whether the lease that was left alone is over by now. */
  #look(): void {
    const time = this.#firstFrom(this.#isOverBy)
    if (time === Infinity) return
    this.#isOverBy = Infinity
    this.#visible = { lo: this.#visible.lo, hi: time + this.#backoffMs }
  }

  #back(visible: Span, counts: boolean): void {
    this.#visible = visible
    if (counts) this.#failures = after(this.#failures, 1)
    this.#end = NEVER
  }

  #fail(kind: string, what: string): never {
    throw new SimFailure(`sentry: ${kind}: ${this.#queue} ${this.#id} (token ${this.#token}): ${what} (cluster time)`)
  }
}
