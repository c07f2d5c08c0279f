/**
 * The last deliveries of a queue that were acknowledged, so that the same ack again is ok: pages of (number, token), of which
 * the oldest is given up when the others remember enough.
 */
import type { Changes } from '../base/changes.ts'
import type { Stored } from './stored.ts'
import { Chunk, ChunkReader } from './chunk.ts'
import { SETTLED } from './kinds.ts'
import { QUEUE_LIMITS } from './types.ts'

/** Pages hold at least as many, for an entry has at most 16 bytes. */
const PAGE_ENTRIES = 60
const PAGES_MAX = Math.ceil(QUEUE_LIMITS.settledMax / PAGE_ENTRIES) + 1

/** Of the queue that was asked last, by token: a call asks for up to 256. One for all queues, so that it costs nothing to keep. */
let index: { readonly of: Settled; readonly seqs: Map<number, number> } | null = null

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
      if (this.pages.length > PAGES_MAX) this.#giveUp(this.pages.shift() as Chunk)
    }
    page.push(seq)
    page.push(token)
    this.count += 1
    this.#changes.touched(page)
    if (index?.of === this) index.seqs.set(token, seq)
  }

  has(seq: number, token: number): boolean {
    if (index?.of !== this) index = { of: this, seqs: new Map(this.pages.flatMap(entriesOf)) }
    return index.seqs.get(token) === seq
  }

  forget(): void {
    for (const page of this.pages) this.#giveUp(page)
    this.pages = []
    this.count = 0
  }

  #giveUp(page: Chunk): void {
    this.#changes.removed(page)
    if (index?.of === this) index = null
  }
}

function entriesOf(page: Chunk): (readonly [token: number, seq: number])[] {
  const reader = new ChunkReader(page)
  const entries: (readonly [number, number])[] = []
  while (!reader.isAtEnd) {
    const seq = reader.next()
    entries.push([reader.next(), seq])
  }
  return entries
}
