/**
 * What a key holds. Where it lies among the others (how lately it was used, how long ago it changed) are links of its own, so
 * that no entry costs an object more. The value is a copy, never a view of the command that brought it.
 *
 *   live ──its time is over, was loaded──▶ stale: nobody reads it but who loads it anew ──▶ gone
 */
import { Stored } from './stored.ts'
import type { Millis } from '../../base/ids.ts'
import type { Ordered } from '../../base/lazy-heap.ts'
import { NOTHING_HELD } from '../coherence/held.ts'
import type { Held, LineId } from '../coherence/protocol.ts'
import type { Cache } from './cache.ts'
import { ENTRY, USE } from './kinds.ts'
import { NO_GROUPS, type TagGroup } from './tag-index.ts'

export const EMPTY = new Uint8Array(0)

export class Entry extends Stored implements Ordered {
  readonly kind = ENTRY
  readonly cache: Cache
  readonly key: string
  /** The version that it was made with: its number, for ever. What an owner flushed may be as old as its ownership, and so is its number. */
  readonly born: number
  version: number
  /** The place of its last change among those of the partition: its version, but for what an owner flushed. */
  at: number
  value: Uint8Array = EMPTY
  contentType = ''
  /** Cluster time at which it expires, or at which what is stale goes; Infinity: never. */
  deadline: Millis = Infinity
  slidingMs: Millis = 0
  /** How long it is kept once its time is over. */
  staleMs: Millis = 0
  isStale = false
  tags: readonly TagGroup[] = NO_GROUPS
  /** Of the key and the value. */
  bytes = 0

  // ---- owned by the policy of the cache ----
  /** A stamp that rises with every use of any entry of the partition. */
  used = 0
  freq = 0
  queue = 0
  before: Entry | null = null
  after: Entry | null = null

  // ---- owned by the cache: entries in the order of their changes ----
  older: Entry | null = null
  newer: Entry | null = null

  /** Of the ownership that pins it; 0: none. */
  own = 0
  /** In the heap of deadlines. */
  place = -1
  /** What changed since its own record was written. */
  use: EntryUse | null = null
  /** What it counts in the table's `dirtyBytes`. */
  dirtyBytes = 0

  constructor(cache: Cache, key: string, born: number) {
    super()
    this.cache = cache
    this.key = key
    this.born = born
    this.version = born
    this.at = born
  }

  get order(): number {
    return this.born
  }

  get line(): LineId {
    return this.cache.linePrefix + this.key
  }

  ttlLeftMs(time: Millis): Millis | null {
    return this.deadline === Infinity ? null : Math.max(1, this.deadline - time)
  }

  /** As the words of the coherence have it. What is overdue but not taken away yet is still a value. */
  held(time: Millis): Held {
    if (this.isStale) return NOTHING_HELD
    const { version, value, contentType, slidingMs } = this
    const tags = this.tags.map((group) => [group.line, group.version] as const)
    return { version, value, contentType, ttlLeftMs: this.ttlLeftMs(time), slidingMs, tags }
  }
}

/** How an entry was used since it was written: a small record, where a use would else write the value again. */
export class EntryUse extends Stored {
  readonly kind = USE
  readonly entry: Entry

  constructor(entry: Entry) {
    super()
    this.entry = entry
  }
}
