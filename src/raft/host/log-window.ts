/** How many bytes of log a group keeps in memory, so that compaction leaves the latest for slow followers. Pure. */
import type { LogIndex } from '../../base/ids.ts'
import type { Entry } from '../core/types.ts'

/**
 * What an entry takes in memory beside its data. A group whose leases expire makes an entry of 9 bytes per tick: by its
 * data alone it would keep half a million of them.
 */
const ENTRY_MEMORY_BYTES = 200

export class LogWindow {
  /** Index of sizes[0]. */
  #first: LogIndex
  #sizes: number[] = []
  #bytes = 0
  /** Bytes appended since the last `resetGrowth`. */
  #growth = 0

  constructor(base: LogIndex, entries: readonly Entry[]) {
    this.#first = base + 1
    for (const entry of entries) this.append(entry)
  }

  get bytes(): number {
    return this.#bytes
  }

  get growth(): number {
    return this.#growth
  }

  resetGrowth(): void {
    this.#growth = 0
  }

  /** An entry was handed to the storage; it replaces whatever was there from its index on. */
  append(entry: Entry): void {
    const at = entry.index - this.#first
    while (this.#sizes.length > at) this.#bytes -= this.#sizes.pop()!
    const size = entry.data.length + ENTRY_MEMORY_BYTES
    this.#sizes.push(size)
    this.#bytes += size
    this.#growth += size
  }

  reset(base: LogIndex): void {
    this.#first = base + 1
    this.#sizes = []
    this.#bytes = 0
    this.#growth = 0
  }

  /** Up to where to compact, `limit` at most, so that about `bytesMax` stay; forgets what goes. */
  compact(limit: LogIndex, bytesMax: number): LogIndex {
    let gone = 0
    while (this.#first + gone <= limit && this.#bytes > bytesMax) this.#bytes -= this.#sizes[gone++] ?? 0
    this.#sizes = gone === 0 ? this.#sizes : this.#sizes.slice(gone)
    this.#first += gone
    return this.#first - 1
  }
}
