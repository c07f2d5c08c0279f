/**
 * Which segments hold entries of one group that may still be wanted: of each, no index above the highest it is noted
 * with. Writing index i voids every entry >= i, so older segments are wanted for those below it alone. Pure.
 */
import type { LogIndex } from '../../base/ids.ts'

export class EntrySegments {
  /** Segment -> the highest index in it. */
  readonly #highest = new Map<number, LogIndex>()
  #released: LogIndex = 0

  get segments(): Iterable<number> {
    return this.#highest.keys()
  }

  /** An entry is written. Gives the oldest segment of which this voids something, or Infinity. */
  write(segment: number, index: LogIndex): number {
    const highest = this.#highest.get(segment)
    // Behind what the segment holds it is behind everything.
    const voided = highest !== undefined && index > highest ? Infinity : this.#limit(index - 1)
    this.#highest.set(segment, index)
    return voided
  }

  #limit(limit: LogIndex): number {
    let voided = Infinity
    for (const [segment, highest] of this.#highest) {
      if (highest <= limit) continue
      voided = Math.min(voided, segment)
      if (limit > this.#released) this.#highest.set(segment, limit)
      else this.#highest.delete(segment)
    }
    return voided
  }

  /** Entries up to `index` are in a durable state. */
  release(index: LogIndex): void {
    this.#released = Math.max(this.#released, index)
    for (const [segment, highest] of this.#highest) if (highest <= this.#released) this.#highest.delete(segment)
  }

  /** All entries are void, and those up to `index` will not be wanted. Gives the oldest segment that held any, or Infinity. */
  clear(index: LogIndex): number {
    const oldest = Math.min(Infinity, ...this.#highest.keys())
    this.#highest.clear()
    this.#released = index
    return oldest
  }
}
