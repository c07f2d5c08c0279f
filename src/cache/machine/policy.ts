/**
 * Which entry goes when a cache is full. What a policy knows of an entry is in the entry and its record (`used`, `freq`,
 * `queue`), so every replica, and one made of records, chooses the same.
 */
import { assert } from '../../base/assert.ts'
import type { Entry } from './entry.ts'
import type { CacheTable } from './table.ts'
import { UseList } from './list.ts'

export interface EvictionPolicy {
  /** What is owned by a node is pinned, and not among them. */
  readonly size: number
  /** A new entry. */
  added(entry: Entry): void
  /** It was read, or written over. */
  wasUsed(entry: Entry): void
  removed(entry: Entry, isEvicted: boolean): void
  /** What goes first, but not `spared`. Asked only where there is another one. */
  victim(spared: Entry | null): Entry
  /** Takes back an entry of a record, in the order of `used`. */
  restore(entry: Entry): void
  /** Everything, in the order of `used`. */
  entries(): Iterable<Entry>
  /** Its own records go. */
  forget(): void
  check(): void
}

/** The least recently used. */
export class Lru implements EvictionPolicy {
  readonly #table: CacheTable
  readonly #list = new UseList()

  constructor(table: CacheTable) {
    this.#table = table
  }

  get size(): number {
    return this.#list.size
  }

  added(entry: Entry): void {
    // As the other policy takes it.
    entry.queue = 0
    entry.freq = 0
    entry.used = this.#table.stamp()
    this.#list.push(entry)
  }

  wasUsed(entry: Entry): void {
    entry.used = this.#table.stamp()
    this.#list.toLast(entry)
    this.#table.useChanged(entry)
  }

  removed(entry: Entry): void {
    this.#list.remove(entry)
  }

  victim(spared: Entry | null): Entry {
    const first = this.#list.first as Entry
    return first === spared ? (first.after as Entry) : first
  }

  restore(entry: Entry): void {
    this.#list.push(entry)
  }

  entries(): Iterable<Entry> {
    return this.#list
  }

  forget(): void {}

  check(): void {
    this.#list.check()
    let used = 0
    for (const entry of this.#list) {
      assert(entry.used > used, 'a list is not in the order of its stamps')
      used = entry.used
    }
  }
}
