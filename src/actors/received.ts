/**
 * Which numbered frames of a peer's life have come. A carrier may bring a frame twice, and a question that is taken by one
 * copy and refused by the other would be told to have had no effect: so each is taken once.
 *
 *   number:  … highest - FRAMES_KEPT │ remembered one by one … highest │ new
 *             too old to know: lost  │
 *
 * Numbers begin at 1 and rise by one; they may come in any order.
 */

/** Frames that may overtake one another. */
const FRAMES_KEPT = 4_096

export class Received {
  #highest = 0
  /** The last number that came, of each remainder. */
  readonly #last = new Float64Array(FRAMES_KEPT)

  /** False: it came before, or so late that nobody knows. */
  take(number: number): boolean {
    if (!Number.isSafeInteger(number) || number < 1 || number <= this.#highest - FRAMES_KEPT) return false
    const slot = number % FRAMES_KEPT
    if (this.#last[slot] === number) return false
    this.#last[slot] = number
    if (number > this.#highest) this.#highest = number
    return true
  }
}
