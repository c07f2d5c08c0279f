/** One timer for something that says when it wants to be looked at. */
import type { Millis } from '../../base/ids.ts'
import type { Clock, Timer } from '../../io/clock.ts'

export class Wakeup {
  readonly #clock: Clock
  readonly #run: () => void
  #timer: Timer | null = null
  #at: Millis = Infinity

  constructor(clock: Clock, run: () => void) {
    this.#clock = clock
    this.#run = run
  }

  /** Not later than `at`. */
  by(at: Millis): void {
    if (at >= this.#at) return
    this.#timer?.cancel()
    this.#at = at
    this.#timer = this.#clock.after(Math.max(0, at - this.#clock.now()), () => {
      this.#timer = null
      this.#at = Infinity
      this.#run()
    })
  }

  cancel(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#at = Infinity
  }
}
