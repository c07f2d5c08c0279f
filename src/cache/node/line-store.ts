/**
 * What this node keeps of other homes' lines: least recently used first out, one budget of bytes over all caches. Values
 * lie outside of V8's heap (they are the buffers of the frames that brought them); what a line costs beside its value is
 * counted too. Lines that are busy (asked for, being written back) are not in here: they cannot be evicted.
 */
import { LRUCache } from 'lru-cache'
import type { Held, LineId } from '../coherence/protocol.ts'

/**
 * Of a copy beside its texts and its value: objects, the value's buffer, a place in the map. As measured with 10,000 to 300,000 of them by
 * `node --expose-gc dist/bench/cache-hit.js 100000`: 458 to 526, the map growing in steps.
 */
const LINE_BYTES = 472

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
  /** Lines that had to go so far. */
  evictions = 0

  constructor({ bytesMax, onCount }: LineStoreOptions<T>) {
    this.#onCount = onCount
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
    return this.#lines.calculatedSize
  }

  get(line: LineId): T | undefined {
    return this.#lines.get(line)
  }

  /** What is larger than the whole budget is not kept. */
  set(line: LineId, kept: T): void {
    this.#lines.set(line, kept)
    if (this.#lines.has(line)) this.#onCount(line, kept, 1)
  }

  delete(line: LineId): void {
    this.#lines.delete(line)
  }
}
