/**
 * What this node keeps of other homes' lines: least recently used first out, one budget of bytes over all caches. Values
 * lie outside of V8's heap (they are the buffers of the frames that brought them); what a line costs beside its value is
 * counted too. Lines that are busy (asked for, being written back) are not in here: they cannot be evicted.
 */
import { LRUCache } from 'lru-cache'
import type { Held, LineId } from '../coherence/protocol.ts'

/** Objects, map entries and the text of a short key, as measured (`bench/cache-coherence.ts`). */
const LINE_BYTES = 320

export interface Kept {
  readonly held: Held
}

export interface LineStoreOptions {
  readonly bytesMax: number
  /** A line came that was not there, or went. */
  readonly onCount: (line: LineId, change: 1 | -1) => void
}

export class LineStore<T extends Kept> {
  readonly #lines: LRUCache<LineId, T>
  readonly #onCount: LineStoreOptions['onCount']
  /** Lines that had to go so far. */
  evictions = 0

  constructor({ bytesMax, onCount }: LineStoreOptions) {
    this.#onCount = onCount
    this.#lines = new LRUCache<LineId, T>({
      maxSize: Math.max(1, bytesMax),
      sizeCalculation: ({ held }, line) => LINE_BYTES + line.length + (held.value?.length ?? 0) + held.contentType.length,
      dispose: (_, line, reason) => {
        if (reason === 'evict') this.evictions++
        onCount(line, -1)
      },
    })
  }

  get size(): number {
    return this.#lines.size
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
    if (this.#lines.has(line)) this.#onCount(line, 1)
  }

  delete(line: LineId): void {
    this.#lines.delete(line)
  }
}
