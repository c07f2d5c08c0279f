/**
 * The last deliveries of a queue that were acknowledged, so that the same ack again is ok: pages of (number, token), of which
 * the oldest is given up when the others remember enough.
 */
import type { Changes, Stored } from './changes.ts'
import { Chunk, ChunkReader } from './chunk.ts'
import { SETTLED } from './kinds.ts'
import { QUEUE_LIMITS } from './types.ts'

/** Pages hold at least as many, for an entry has at most 16 bytes. */
const PAGE_ENTRIES = 60
const PAGES_MAX = Math.ceil(QUEUE_LIMITS.settledMax / PAGE_ENTRIES) + 1

export class Settled {
  readonly #changes: Changes<Stored>
  readonly #queue: number
  pages: Chunk[] = []
  /** Entries of the last page. */
  count = 0
  lastPage = 0

  constructor(changes: Changes<Stored>, queue: number) {
    this.#changes = changes
    this.#queue = queue
  }

  add(seq: number, token: number): void {
    let page = this.pages.at(-1)
    if (page === undefined || this.count === PAGE_ENTRIES) {
      page = new Chunk(SETTLED, this.#queue, 0, ++this.lastPage, 0, 0)
      this.pages.push(page)
      this.count = 0
      if (this.pages.length > PAGES_MAX) this.#changes.removed(this.pages.shift() as Chunk)
    }
    page.push(seq)
    page.push(token)
    this.count += 1
    this.#changes.touched(page)
  }

  has(seq: number, token: number): boolean {
    return this.pages.some((page) => isIn(page, seq, token))
  }

  forget(): void {
    for (const page of this.pages) this.#changes.removed(page)
    this.pages = []
    this.count = 0
  }
}

function isIn(page: Chunk, seq: number, token: number): boolean {
  const reader = new ChunkReader(page)
  while (!reader.isAtEnd) {
    const is = reader.next() === seq
    if (reader.next() === token && is) return true
  }
  return false
}
