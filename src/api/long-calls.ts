/**
 * Calls that take longer than a proxy lets a request live: answered 202 after 25 s, and looked up under their idempotency key
 * in the request table of the group, so that any node tells what became of them. One without a key is given its request id
 * where it asked for so long a wait; where it did not, and there was no leader for long, it ends unknown and is given up.
 */
import { TricordError } from '../base/errors.ts'
import type { Clock } from '../io/clock.ts'

export const ANSWER_WITHIN_MS = 25_000
/** The end of a wait of just that long has to pass the log. */
const END_MS = 1_000

/** When a call that wants to wait `waitMs` is answered, come what may. */
export function answerWithinMs(waitMs: number): number {
  return waitMs > ANSWER_WITHIN_MS ? ANSWER_WITHIN_MS : Math.max(ANSWER_WITHIN_MS, waitMs + END_MS)
}

export function noAnswerYet(): TricordError {
  return new TricordError('UNKNOWN_OUTCOME', 'no answer in time; a leader may have taken it')
}

/** The call's value if it comes in time, else null; what becomes of it then is for those who ask. */
export async function within<T>(clock: Clock, call: Promise<T>, withinMs: number): Promise<T | null> {
  let timer: { cancel(): void } | null = null
  const late = new Promise<null>((resolve) => {
    timer = clock.after(withinMs, () => resolve(null))
  })
  // A refusal that comes late is nobody's: whoever asks is told of it.
  call.catch(() => undefined)
  return Promise.race([call, late]).finally(() => timer?.cancel())
}

/** A wait that ends with its caller: from `begin` to `end` the caller may hang up. */
export class Wait {
  isGivenUp = false
  readonly #signal: AbortSignal
  #giveUp: (() => void) | null = null

  constructor(signal: AbortSignal) {
    this.#signal = signal
  }

  begin(cancel: () => void): void {
    this.#giveUp = () => {
      this.isGivenUp = true
      cancel()
    }
    if (this.#signal.aborted) this.#giveUp()
    else this.#signal.addEventListener('abort', this.#giveUp, { once: true })
  }

  /** Nobody will hear the answer any more. */
  giveUp(): void {
    this.#giveUp?.()
  }

  /** It was answered: with its grant, or with where to ask for it. */
  end(): void {
    if (this.#giveUp) this.#signal.removeEventListener('abort', this.#giveUp)
  }
}
