/**
 * A hash table that grows by one bucket at a time (Litwin 1980), so that a million entries never cost a rehash of
 * all of them at once, as a Map would. Intrusive: an entry carries its own hash and its chain's next link.
 *
 *   buckets   0 .. split-1        already split: addressed with one bit more
 *             split .. 2^level-1  not yet
 *             2^level ..          the images of the split ones
 *
 * Invariant: an entry is in the chain of bucket `address(entry.hash)`, once.
 */
import { assert } from '../base/assert.ts'

export interface Hashed<T> {
  /** 30 bits, constant while the entry is in the table. */
  readonly hash: number
  /** Next in the chain; owned by the table. */
  next: T | null
}

const SEGMENT_BITS = 10
const SEGMENT = 1 << SEGMENT_BITS

export class LinearHash<T extends Hashed<T>> {
  /** Buckets in segments: growing never copies them. */
  #segments: (T | null)[][] = [newSegment()]
  #mask = SEGMENT - 1
  #split = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  /** The head of the chain where an entry of this hash would be; the caller walks `next` and compares. */
  chain(hash: number): T | null {
    const bucket = this.#address(hash)
    return (this.#segments[bucket >> SEGMENT_BITS] as (T | null)[])[bucket & (SEGMENT - 1)] as T | null
  }

  add(entry: T): void {
    const bucket = this.#address(entry.hash)
    const segment = this.#segments[bucket >> SEGMENT_BITS] as (T | null)[]
    entry.next = segment[bucket & (SEGMENT - 1)] as T | null
    segment[bucket & (SEGMENT - 1)] = entry
    this.#size += 1
    if (this.#size > this.#mask + 1 + this.#split) this.#grow()
  }

  /** Takes out an entry that is in the table. */
  remove(entry: T): void {
    const bucket = this.#address(entry.hash)
    const segment = this.#segments[bucket >> SEGMENT_BITS] as (T | null)[]
    let at = segment[bucket & (SEGMENT - 1)] as T | null
    if (at === entry) {
      segment[bucket & (SEGMENT - 1)] = entry.next
    } else {
      while (at !== null && at.next !== entry) at = at.next
      assert(at !== null, 'entry is not in the hash table')
      at.next = entry.next
    }
    entry.next = null
    this.#size -= 1
  }

  /** Every entry, in no meaningful order. */
  *[Symbol.iterator](): Generator<T> {
    for (const segment of this.#segments) {
      for (const head of segment) for (let at = head; at !== null; at = at.next) yield at
    }
  }

  #address(hash: number): number {
    const bucket = hash & this.#mask
    return bucket < this.#split ? hash & (this.#mask * 2 + 1) : bucket
  }

  /** Splits the next bucket in two. */
  #grow(): void {
    const from = this.#split
    const image = from + this.#mask + 1
    if (image >> SEGMENT_BITS === this.#segments.length) this.#segments.push(newSegment())
    let entry = (this.#segments[from >> SEGMENT_BITS] as (T | null)[])[from & (SEGMENT - 1)] as T | null
    let stay: T | null = null
    let move: T | null = null
    const bit = this.#mask + 1
    while (entry !== null) {
      const rest: T | null = entry.next
      if ((entry.hash & bit) === 0) {
        entry.next = stay
        stay = entry
      } else {
        entry.next = move
        move = entry
      }
      entry = rest
    }
    ;(this.#segments[from >> SEGMENT_BITS] as (T | null)[])[from & (SEGMENT - 1)] = stay
    ;(this.#segments[image >> SEGMENT_BITS] as (T | null)[])[image & (SEGMENT - 1)] = move
    this.#split += 1
    if (this.#split > this.#mask) {
      this.#mask = this.#mask * 2 + 1
      this.#split = 0
    }
  }
}

function newSegment<T>(): (T | null)[] {
  return Array.from<T | null>({ length: SEGMENT }).fill(null)
}
