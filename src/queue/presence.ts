/**
 * Which messages of a queue exist: a bit for each, in pages that are there while any of their messages is. So an id can be
 * told from one that is gone, messages can be looked through in their order, and an old one that is left over holds one page.
 *
 * Derived from the lanes and notes, never stored. Pages are in the order of their numbers.
 */
export const PAGE_MESSAGES = 4096
const WORDS = PAGE_MESSAGES / 32

export interface PresencePage {
  readonly words: Int32Array
  count: number
}

export class Presence {
  readonly #pages = new Map<number, PresencePage>()
  /** The page used last: nearly always the next one too. */
  #number = -1
  #page: PresencePage | null = null

  has(seq: number): boolean {
    const page = this.#find(seq)
    const bit = seq % PAGE_MESSAGES
    return page !== null && ((page.words[bit >> 5] as number) & (1 << (bit & 31))) !== 0
  }

  add(seq: number): void {
    const page = this.#find(seq) ?? this.#make(Math.floor(seq / PAGE_MESSAGES))
    const bit = seq % PAGE_MESSAGES
    page.words[bit >> 5] = (page.words[bit >> 5] as number) | (1 << (bit & 31))
    page.count += 1
  }

  addRun(first: number, count: number): void {
    const end = first + count
    for (let seq = first; seq < end;) {
      const isWhole = seq % 32 === 0 && end - seq >= 32
      if (isWhole) this.#addWord(seq)
      else this.add(seq)
      seq += isWhole ? 32 : 1
    }
  }

  /** Of a message that is there. */
  remove(seq: number): void {
    const page = this.#find(seq) as PresencePage
    const bit = seq % PAGE_MESSAGES
    page.words[bit >> 5] = (page.words[bit >> 5] as number) & ~(1 << (bit & 31))
    page.count -= 1
    if (page.count > 0) return
    this.#pages.delete(Math.floor(seq / PAGE_MESSAGES))
    this.#page = null
    this.#number = -1
  }

  /** The messages from `from` on, in their order. */
  *from(from: number): Generator<number> {
    for (const [number, { words }] of this.#pages) {
      const base = number * PAGE_MESSAGES
      if (base + PAGE_MESSAGES <= from) continue
      for (let seq = Math.max(base, from); seq < base + PAGE_MESSAGES; seq++) {
        const bit = seq - base
        if (((words[bit >> 5] as number) & (1 << (bit & 31))) !== 0) yield seq
      }
    }
  }

  get size(): number {
    let size = 0
    for (const { count } of this.#pages.values()) size += count
    return size
  }

  /** Gives the pages away. */
  take(): readonly (readonly [number: number, page: PresencePage])[] {
    const pages = [...this.#pages]
    this.#pages.clear()
    this.#page = null
    this.#number = -1
    return pages
  }

  /** After loading, where messages come in any order. */
  restoreOrder(): void {
    const ordered = [...this.#pages].sort(([a], [b]) => a - b)
    this.#pages.clear()
    for (const [number, page] of ordered) this.#pages.set(number, page)
  }

  #addWord(seq: number): void {
    const page = this.#find(seq) ?? this.#make(Math.floor(seq / PAGE_MESSAGES))
    page.words[(seq % PAGE_MESSAGES) >> 5] = -1
    page.count += 32
  }

  #find(seq: number): PresencePage | null {
    const number = Math.floor(seq / PAGE_MESSAGES)
    if (number === this.#number) return this.#page
    const page = this.#pages.get(number)
    if (page === undefined) return null
    this.#number = number
    this.#page = page
    return page
  }

  #make(number: number): PresencePage {
    const page = { words: new Int32Array(WORDS), count: 0 }
    this.#pages.set(number, page)
    this.#number = number
    this.#page = page
    return page
  }
}
