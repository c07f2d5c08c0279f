/**
 * The keys that went lately, by their hashes, oldest first: as many as the cache has entries. In pages, so that one more costs a
 * small record; a page goes when all of it is too old. What is asked for again stays until its page goes.
 */
import type { Changes } from '../../base/changes.ts'
import { GHOSTS } from './kinds.ts'
import { Stored } from './stored.ts'

const PAGE_HASHES = 64
const HASHES_MAX = 1_000_000

export class GhostPage extends Stored {
  readonly kind = GHOSTS
  readonly cache: number
  readonly number: number
  readonly hashes: number[] = []

  constructor(cache: number, number: number) {
    super()
    this.cache = cache
    this.number = number
  }
}

export class Ghosts {
  readonly #changes: Changes<Stored>
  readonly #cache: number
  /** How often each is in the pages. */
  readonly #counts = new Map<number, number>()
  readonly #pages: GhostPage[] = []
  #size = 0

  constructor(changes: Changes<Stored>, cache: number) {
    this.#changes = changes
    this.#cache = cache
  }

  has(key: string): boolean {
    return this.#counts.has(hashOf(key))
  }

  /** `entries`: that the cache has. */
  add(key: string, entries: number): void {
    let page = this.#pages.at(-1)
    if (page === undefined || page.hashes.length === PAGE_HASHES) {
      page = new GhostPage(this.#cache, (page?.number ?? 0) + 1)
      this.#pages.push(page)
    }
    const hash = hashOf(key)
    page.hashes.push(hash)
    this.#count(hash)
    this.#changes.touched(page)
    this.trim(entries)
  }

  /** The cache has so many entries, and remembers no more keys. */
  trim(entries: number): void {
    const max = Math.min(HASHES_MAX, Math.max(PAGE_HASHES, entries))
    for (let first = this.#pages[0]; first !== undefined && this.#size - first.hashes.length >= max; first = this.#pages[0]) {
      this.#dropFirst(first)
    }
  }

  /** A page of a record; in the order of their numbers. */
  restore(page: GhostPage): void {
    this.#pages.push(page)
    for (const hash of page.hashes) this.#count(hash)
  }

  forget(): void {
    for (const page of this.#pages) this.#changes.removed(page)
    this.#pages.length = 0
    this.#counts.clear()
    this.#size = 0
  }

  #count(hash: number): void {
    this.#size += 1
    this.#counts.set(hash, (this.#counts.get(hash) ?? 0) + 1)
  }

  #dropFirst(page: GhostPage): void {
    this.#pages.shift()
    this.#size -= page.hashes.length
    for (const hash of page.hashes) {
      const count = (this.#counts.get(hash) ?? 0) - 1
      if (count > 0) this.#counts.set(hash, count)
      else this.#counts.delete(hash)
    }
    this.#changes.removed(page)
  }
}

/** FNV-1a over the units of the text: two keys that share one are treated alike, and nothing else comes of it. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193)
  return hash >>> 0
}
