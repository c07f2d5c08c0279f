/**
 * What this node keeps of other homes' lines: least recently used first out, one budget of bytes over all caches. Values
 * lie outside of V8's heap (they are the buffers of the frames that brought them); what a line costs beside its value is
 * counted too. Lines that are busy (asked for, written alone) are not in here: they cannot be evicted. Those that are written
 * alone are pinned in the budget: copies make room for them, and where they are half of it, no line is written alone any more.
 */
import { LRUCache } from 'lru-cache'
import type { Held, LineId } from '../coherence/protocol.ts'

/**
 * Of a copy beside its texts and its value: objects, the value's buffer, a place in the map. As measured with 10,000 to 300,000 of them by
 * `node --expose-gc dist/bench/cache-hit.js 100000`: 458 to 526, the map growing in steps.
 */
export const LINE_BYTES = 472

/** Of the budget. */
const PINNED_SHARE_MAX = 0.5

export interface Kept {
  readonly held: Held
}

export interface LineStoreOptions<T> {
  readonly bytesMax: number
  /** A copy came, or went: for another one of the line, too. */
  readonly onCount: (line: LineId, kept: T, change: 1 | -1) => void
}

export class LineStore<T extends Kept> {
  readonly #lines: LRUCache<LineId, T>
  readonly #onCount: LineStoreOptions<T>['onCount']
  readonly #bytesMax: number
  #pinnedBytes = 0
  /** Lines that had to go so far. */
  evictions = 0

  constructor({ bytesMax, onCount }: LineStoreOptions<T>) {
    this.#onCount = onCount
    this.#bytesMax = bytesMax
    this.#lines = new LRUCache<LineId, T>({
      maxSize: Math.max(1, bytesMax),
      sizeCalculation: ({ held }, line) => LINE_BYTES + line.length + (held.value?.length ?? 0) + held.contentType.length,
      dispose: (kept, line, reason) => {
        if (reason === 'evict') this.evictions++
        onCount(line, kept, -1)
      },
    })
  }

  get bytes(): number {
    return this.#lines.calculatedSize + this.#pinnedBytes
  }

  /** What cannot be evicted has become so much more, or less. */
  pin(bytes: number): void {
    this.#pinnedBytes += bytes
    this.#makeRoom()
  }

  get mayPin(): boolean {
    return this.#pinnedBytes < this.#bytesMax * PINNED_SHARE_MAX
  }

  get(line: LineId): T | undefined {
    return this.#lines.get(line)
  }

  /** What is larger than the whole budget is not kept. */
  set(line: LineId, kept: T): void {
    this.#lines.set(line, kept)
    if (this.#lines.has(line)) this.#onCount(line, kept, 1)
    this.#makeRoom()
  }

  delete(line: LineId): void {
    this.#lines.delete(line)
  }

  #makeRoom(): void {
    while (this.bytes > this.#bytesMax && this.#lines.size > 0) this.#lines.pop()
  }
}
