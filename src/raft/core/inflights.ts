/**
 * The window of append_entries on their way to one follower, bounded by count and by bytes. A ring: sends go in at
 * the back with the last index they carry, an acknowledgement of index i frees every send up to i at the front.
 *
 *     start            start + count
 *       v                  v
 *     [ 12 | 15 | 19 | 20 | free … ]        last indexes, strictly rising
 */
import { assert } from '../../base/assert.ts'
import type { LogIndex } from '../../base/ids.ts'

export class Inflights {
  readonly #messagesMax: number
  readonly #bytesMax: number
  /** Allocated with the first send: most peers of most groups are idle. */
  #lastIndexes: Float64Array | null = null
  #sizes: Float64Array | null = null
  #start = 0
  #count = 0
  #bytes = 0

  constructor(messagesMax: number, bytesMax: number) {
    assert(messagesMax > 0 && bytesMax > 0, 'an inflight window needs room')
    this.#messagesMax = messagesMax
    this.#bytesMax = bytesMax
  }

  get count(): number {
    return this.#count
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The bytes bound may be overshot by the one send that reaches it: an entry larger than the window must still pass. */
  get full(): boolean {
    return this.#count === this.#messagesMax || this.#bytes >= this.#bytesMax
  }

  add(lastIndex: LogIndex, bytes: number): void {
    assert(!this.full, 'inflight window overflow')
    this.#lastIndexes ??= new Float64Array(this.#messagesMax)
    this.#sizes ??= new Float64Array(this.#messagesMax)
    const slot = (this.#start + this.#count) % this.#messagesMax
    this.#lastIndexes[slot] = lastIndex
    this.#sizes[slot] = bytes
    this.#count++
    this.#bytes += bytes
  }

  /** Frees every send whose last index is <= `index`. */
  freeTo(index: LogIndex): void {
    const lastIndexes = this.#lastIndexes
    const sizes = this.#sizes
    if (lastIndexes === null || sizes === null) return
    while (this.#count > 0 && lastIndexes[this.#start]! <= index) {
      this.#bytes -= sizes[this.#start]!
      this.#start = (this.#start + 1) % this.#messagesMax
      this.#count--
    }
  }

  clear(): void {
    this.#start = 0
    this.#count = 0
    this.#bytes = 0
  }
}
