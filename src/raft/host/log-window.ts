/** How many bytes of log a group keeps: in memory, so that compaction leaves the latest for slow followers, and on disk. Pure. */
import type { LogIndex } from '../../base/ids.ts'
import type { Entry } from '../core/types.ts'

/**
 * What an entry takes in memory beside its data. A group whose leases expire makes an entry of 9 bytes per tick: by its
 * data alone it would keep half a million of them.
 */
const ENTRY_MEMORY_BYTES = 200
/** What it takes on disk beside its data, about: the head of its record, and the padding. */
const ENTRY_RECORD_BYTES = 56

const recordBytes = (size: number): number => size - ENTRY_MEMORY_BYTES + ENTRY_RECORD_BYTES

export class LogWindow {
  /** Index of sizes[0]. */
  #first: LogIndex
  #sizes: number[] = []
  #bytes = 0
  #checkpointed: LogIndex
  #liveBytes = 0
  /** Bytes appended since the last `resetGrowth`. */
  #growth = 0

  constructor(base: LogIndex, entries: readonly Entry[]) {
    this.#first = base + 1
    this.#checkpointed = base
    for (const entry of entries) this.append(entry)
  }

  get bytes(): number {
    return this.#bytes
  }

  /** What the entries after the checkpoint take on disk, about. */
  get liveBytes(): number {
    return this.#liveBytes
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
    while (this.#sizes.length > at) {
      const gone = this.#sizes.pop()!
      this.#bytes -= gone
      this.#liveBytes -= recordBytes(gone)
    }
    const size = entry.data.length + ENTRY_MEMORY_BYTES
    this.#sizes.push(size)
    this.#bytes += size
    this.#liveBytes += recordBytes(size)
    this.#growth += size
  }

  reset(base: LogIndex): void {
    this.#first = base + 1
    this.#sizes = []
    this.#bytes = 0
    this.#growth = 0
    this.#checkpointed = base
    this.#liveBytes = 0
  }

  /** A restart begins after `index`: the entries up to it need not be on disk. */
  checkpoint(index: LogIndex): void {
    for (let at = this.#checkpointed + 1; at <= index; at++)
      this.#liveBytes -= recordBytes(this.#sizes[at - this.#first] ?? ENTRY_MEMORY_BYTES)
    this.#checkpointed = Math.max(this.#checkpointed, index)
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
