/**
 * The ids that were enqueued within the window, and the message of each, even where that is long gone. Kept in pages in the
 * order of their coming; a page goes when all of it is out of its window. What is asked is always the exact time.
 */
import type { Millis } from '../base/ids.ts'
import type { Changes } from '../base/changes.ts'
import { Stored } from './stored.ts'
import { DEDUP } from './kinds.ts'
import { QUEUE_LIMITS } from './types.ts'

const PAGE_ENTRIES = 64
const PAGES_MAX = Math.floor(QUEUE_LIMITS.dedupIdsPerQueueMax / PAGE_ENTRIES)
/** Of a load: some 2,000 ids. */
const PAGES_PER_TURN = 32
/** Pages are looked at so late, so that ids alone do not keep the log busy. */
const SWEEP_SLACK_MS = 1_000

export interface DedupEntry {
  readonly id: string
  readonly seq: number
  readonly expiresAt: Millis
}

export class DedupPage extends Stored {
  readonly kind = DEDUP
  readonly queue: number
  /** The message of its first entry. */
  readonly number: number
  readonly entries: DedupEntry[] = []
  expiresAt: Millis = 0

  constructor(queue: number, number: number) {
    super()
    this.queue = queue
    this.number = number
  }

  push(entry: DedupEntry): void {
    this.entries.push(entry)
    this.expiresAt = Math.max(this.expiresAt, entry.expiresAt)
  }
}

export class Dedup {
  readonly #changes: Changes<Stored>
  readonly #queue: number
  readonly #byId = new Map<string, DedupEntry>()
  pages: DedupPage[] = []

  constructor(changes: Changes<Stored>, queue: number) {
    this.#changes = changes
    this.#queue = queue
  }

  /** The message that came first with this id; 0: none within the window. */
  find(id: string, now: Millis): number {
    const entry = this.#byId.get(id)
    return entry !== undefined && entry.expiresAt > now ? entry.seq : 0
  }

  /** Whether so many more ids find room. */
  hasRoom(count: number): boolean {
    const last = this.pages.at(-1)
    const left = (PAGES_MAX - this.pages.length) * PAGE_ENTRIES + (last === undefined ? 0 : PAGE_ENTRIES - last.entries.length)
    return count <= left
  }

  add(id: string, seq: number, expiresAt: Millis): void {
    let page = this.pages.at(-1)
    if (page === undefined || page.entries.length === PAGE_ENTRIES) {
      page = new DedupPage(this.#queue, seq)
      this.pages.push(page)
    }
    const entry = { id, seq, expiresAt }
    page.push(entry)
    this.#byId.set(id, entry)
    this.#changes.touched(page)
  }

  /** When the first page may be swept; Infinity: there is none. */
  get deadline(): Millis {
    const first = this.pages[0]
    return first === undefined ? Infinity : first.expiresAt + SWEEP_SLACK_MS
  }

  /** Forgets the first page. */
  sweep(): void {
    const page = this.pages.shift()
    if (page === undefined) return
    for (const entry of page.entries) if (this.#byId.get(entry.id) === entry) this.#byId.delete(entry.id)
    this.#changes.removed(page)
  }

  /** The pages were loaded, in any order. Pauses after every `PAGES_PER_TURN` of them. */
  *restore(): Generator<void, void> {
    this.pages.sort((a, b) => a.number - b.number)
    for (const [nth, page] of this.pages.entries()) {
      for (const entry of page.entries) this.#byId.set(entry.id, entry)
      if (nth % PAGES_PER_TURN === PAGES_PER_TURN - 1) yield
    }
  }

  forget(): void {
    for (const page of this.pages) this.#changes.removed(page)
    this.pages = []
    this.#byId.clear()
  }
}
