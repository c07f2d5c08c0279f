/**
 * The key-value store in memory: for tests and for clusters that keep nothing. A sorted array under a map from the key's
 * text, rebuilt lazily: writes are cheap, an iterator pays for the sort once after writes.
 */
import { compareBytes } from './bytes.ts'
import type { Kv, KvIterator, KvOp, KvPair, KvRange } from './kv.ts'

export function createMemoryKv(): Kv {
  return new MemoryKv()
}

const nameOf = (key: Uint8Array): string => Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')

class MemoryKv implements Kv {
  readonly engine = 'memory'
  readonly #records = new Map<string, KvPair>()
  #sorted: readonly KvPair[] | null = null

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#records.get(nameOf(key))?.[1]
  }

  async getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    return keys.map((key) => this.#records.get(nameOf(key))?.[1])
  }

  async batch(ops: readonly KvOp[]): Promise<void> {
    for (const { key, value } of ops) {
      if (value === null) this.#records.delete(nameOf(key))
      else this.#records.set(nameOf(key), [new Uint8Array(key), new Uint8Array(value)])
    }
    this.#sorted = null
  }

  iterate(range: KvRange): KvIterator {
    const all = this.#sort()
    let at = range.gte ? lowerBound(all, range.gte) : 0
    const end = range.lt ? lowerBound(all, range.lt) : all.length
    return {
      async next(max) {
        const page = all.slice(at, Math.min(at + max, end))
        at += page.length
        return page
      },
      async close() {
        at = end
      },
    }
  }

  async clear(range: KvRange): Promise<void> {
    const all = this.#sort()
    const from = range.gte ? lowerBound(all, range.gte) : 0
    const to = range.lt ? lowerBound(all, range.lt) : all.length
    for (const [key] of all.slice(from, to)) this.#records.delete(nameOf(key))
    this.#sorted = null
  }

  async compact(): Promise<boolean> {
    return true
  }

  async close(): Promise<void> {
    this.#sorted = null
  }

  /** Iterators hold on to the array they began with: it is replaced, never changed. */
  #sort(): readonly KvPair[] {
    this.#sorted ??= [...this.#records.values()].sort((a, b) => compareBytes(a[0], b[0]))
    return this.#sorted
  }
}

function lowerBound(pairs: readonly KvPair[], key: Uint8Array): number {
  let [low, high] = [0, pairs.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    const pair = pairs[middle]
    if (pair && compareBytes(pair[0], key) < 0) low = middle + 1
    else high = middle
  }
  return low
}
