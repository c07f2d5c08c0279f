/**
 * S3-FIFO (Yang et al., SOSP 2023): what is asked for once goes soon, what is asked for again stays long, and a scan pushes out
 * nobody. Here "small" is a tenth of the entries, and a ghost is remembered until its page goes.
 *
 *   new ──▶ small ──at its end, used twice or more──▶ main ──at its end──┬─ used: once around again, one use less
 *    │        └──else──▶ gone, its key is a ghost                        └─ not used: gone
 *    └─ a ghost ──▶ main
 */
import type { Entry } from './entry.ts'
import { type Ghosts } from './ghosts.ts'
import { UseList } from './list.ts'
import type { EvictionPolicy } from './policy.ts'
import type { CacheTable } from './table.ts'
import { assert } from '../../base/assert.ts'

/** What LRU leaves in an entry: so a cache that changes its policy writes nothing. */
const MAIN = 0
const SMALL = 1
const FREQ_MAX = 3
/** Into main from small. */
const FREQ_PROMOTED = 2
const SMALL_PART = 10
/** Entries that get another round before one goes, whoever it is: an eviction is part of a write. */
const ROUNDS_MAX = 1_000

export class S3Fifo implements EvictionPolicy {
  readonly #table: CacheTable
  readonly #small = new UseList()
  readonly #main = new UseList()
  readonly ghosts: Ghosts

  constructor(table: CacheTable, ghosts: Ghosts) {
    this.#table = table
    this.ghosts = ghosts
  }

  get size(): number {
    return this.#small.size + this.#main.size
  }

  added(entry: Entry): void {
    entry.queue = this.ghosts.has(entry.key) ? MAIN : SMALL
    entry.freq = 0
    entry.used = this.#table.stamp()
    this.restore(entry)
  }

  wasUsed(entry: Entry): void {
    if (entry.freq >= FREQ_MAX) return
    entry.freq += 1
    this.#table.useChanged(entry)
  }

  removed(entry: Entry, isEvicted: boolean): void {
    this.#listOf(entry).remove(entry)
    if (isEvicted && entry.queue === SMALL) this.ghosts.add(entry.key, this.size)
    else this.ghosts.trim(this.size)
  }

  victim(spared: Entry | null): Entry {
    for (let rounds = 0; ; rounds++) {
      const entry = this.#candidate(spared)
      const isUsed = entry.freq >= (entry.queue === SMALL ? FREQ_PROMOTED : 1)
      if (!isUsed || rounds >= ROUNDS_MAX) return entry
      this.#listOf(entry).remove(entry)
      entry.freq = entry.queue === SMALL ? 0 : entry.freq - 1
      entry.queue = MAIN
      entry.used = this.#table.stamp()
      this.#main.push(entry)
      this.#table.useChanged(entry)
    }
  }

  restore(entry: Entry): void {
    this.#listOf(entry).push(entry)
  }

  /** In the order of `used`, in which another policy takes them. */
  *entries(): Generator<Entry> {
    let [small, main] = [this.#small.first, this.#main.first]
    while (small !== null || main !== null) {
      if (main === null || (small !== null && small.used < main.used)) {
        const next: Entry | null = (small as Entry).after
        yield small as Entry
        small = next
      } else {
        const next: Entry | null = main.after
        yield main
        main = next
      }
    }
  }

  forget(): void {
    this.ghosts.forget()
  }

  check(): void {
    for (const list of [this.#small, this.#main]) {
      list.check()
      let used = 0
      for (const entry of list) {
        assert(this.#listOf(entry) === list && entry.used > used, 'a queue is not in the order of its stamps')
        used = entry.used
      }
    }
  }

  #listOf(entry: Entry): UseList {
    return entry.queue === SMALL ? this.#small : this.#main
  }

  #candidate(spared: Entry | null): Entry {
    const [small, main] = [firstBut(this.#small, spared), firstBut(this.#main, spared)]
    const first = this.#small.size * SMALL_PART > this.size ? (small ?? main) : (main ?? small)
    assert(first !== null, 'a victim where there is only one')
    return first
  }
}

function firstBut({ first }: UseList, spared: Entry | null): Entry | null {
  return first !== null && first === spared ? first.after : first
}
