/**
 * The last changes of a partition, in memory, on each replica: what subscriptions are resumed from. It is no part of the
 * state: after a load it begins there.
 *
 *   base ◀── forgotten │ changes, rising ──▶ last
 */
import type { LineId } from '../coherence/protocol.ts'
import type { ChangeReason } from '../types.ts'

export interface Change {
  /** Its place among the changes of the partition. */
  readonly at: number
  /** What the line has since. `at`, but for what an owner gave itself and flushed later. */
  readonly version: number
  readonly line: LineId
  readonly reason: ChangeReason
}

export class Journal {
  readonly #max: number
  /** Once full, `#next` is the oldest. */
  readonly #ring: Change[] = []
  #next = 0
  #base: number

  /** `base`: the last change before the journal began. */
  constructor(max: number, base: number) {
    this.#max = max
    this.#base = base
  }

  push(change: Change): void {
    if (this.#ring.length < this.#max) {
      this.#ring.push(change)
      return
    }
    this.#base = (this.#ring[this.#next] as Change).at
    this.#ring[this.#next] = change
    this.#next = (this.#next + 1) % this.#max
  }

  /** Everything that changed after this place, the oldest first; null: not known any more. */
  since(at: number): readonly Change[] | null {
    if (at < this.#base) return null
    let [low, high] = [0, this.#ring.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#nth(middle).at > at) high = middle
      else low = middle + 1
    }
    return Array.from({ length: this.#ring.length - low }, (_, nth) => this.#nth(low + nth))
  }

  #nth(nth: number): Change {
    return this.#ring[(this.#next + nth) % this.#ring.length] as Change
  }
}
