/**
 * A cap on bytes per second, as a bucket that fills with time: what is in it may go at once, and it may be overdrawn by the
 * one piece that empties it. So the mean keeps to the rate, however large the pieces are.
 */
import type { Millis } from '../../base/ids.ts'

/** What may go at once after a pause, as a time. */
const BURST_MS: Millis = 100

export class Rate {
  /** 0: no cap. */
  readonly #bytesPerSecond: number
  #left: number
  #at: Millis

  constructor(bytesPerSecond: number, now: Millis) {
    this.#bytesPerSecond = bytesPerSecond
    this.#left = this.#burst
    this.#at = now
  }

  get #burst(): number {
    return (this.#bytesPerSecond * BURST_MS) / 1_000
  }

  /** Whether something may go now. */
  open(now: Millis): boolean {
    if (this.#bytesPerSecond === 0) return true
    this.#left = Math.min(this.#burst, this.#left + ((now - this.#at) * this.#bytesPerSecond) / 1_000)
    this.#at = now
    return this.#left > 0
  }

  /** It went. */
  spend(bytes: number): void {
    this.#left -= bytes
  }
}
