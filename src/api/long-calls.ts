/**
 * Calls that take longer than a proxy lets a request live: answered 202 after 25 s, and looked up here under their id. Kept
 * by the gateway that took the call, for ten minutes after the answer; elsewhere the caller repeats the call with the same
 * Idempotency-Key, which keeps its place in the queue on any node.
 */
import { TricordError } from '../base/errors.ts'
import type { Clock } from '../io/clock.ts'

export const ANSWER_WITHIN_MS = 25_000
const KEEP_MS = 600_000
const CALLS_MAX = 10_000

export type LongCallState =
  | { readonly state: 'waiting' }
  | { readonly state: 'done'; readonly value: unknown }
  | { readonly state: 'failed'; readonly error: TricordError }

export class LongCalls {
  readonly #clock: Clock
  readonly #calls = new Map<string, LongCallState>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The call's value if it comes in time; else null, and the call is kept under `id`. */
  async within<T>(id: string, call: Promise<T>, withinMs: number): Promise<T | null> {
    let timer: { cancel(): void } | null = null
    const late = new Promise<null>((resolve) => {
      timer = this.#clock.after(withinMs, () => resolve(null))
    })
    const first = await Promise.race([call.then((value) => ({ value })), late]).finally(() => timer?.cancel())
    if (first) return first.value
    this.#keep(id, call)
    return null
  }

  get(id: string): LongCallState | null {
    return this.#calls.get(id) ?? null
  }

  #keep<T>(id: string, call: Promise<T>): void {
    if (this.#calls.size >= CALLS_MAX) throw new TricordError('OVERLOADED', 'too many long calls wait at this node', {}, 'unknown')
    this.#calls.set(id, { state: 'waiting' })
    const settle = (state: LongCallState): void => {
      this.#calls.set(id, state)
      this.#clock.after(KEEP_MS, () => {
        if (this.#calls.get(id) === state) this.#calls.delete(id)
      })
    }
    call.then(
      (value) => settle({ state: 'done', value }),
      (error: unknown) =>
        settle({ state: 'failed', error: error instanceof TricordError ? error : new TricordError('UNKNOWN_OUTCOME', String(error)) }),
    )
  }
}
