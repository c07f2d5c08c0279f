/**
 * Bodies and notes of purged messages, which are deleted from the store little by little: a purge is one record, and ten million
 * deletions are not one batch. A page of the messages that there were is one record until its bodies are gone, and so are the
 * records of its notes. Whether a body was stored yet is the replica's own affair: so it is asked when the page is dug up, and no
 * record tells of it. Notes that were not stored yet are still written, for all replicas have the same records.
 */
import type { Millis } from '../base/ids.ts'
import { Bodies } from './bodies.ts'
import { Stored } from './stored.ts'
import { GRAVE, NOTE } from './kinds.ts'
import { PAGE_MESSAGES } from './presence.ts'
import type { Queue } from './queue.ts'
import type { QueueTable } from './table.ts'

/** A page is dug up so often. */
const PACE_MS = 20

/** A note that was found buried: what was said about its message does not matter any more. */
export class BuriedNote extends Stored {
  readonly kind = NOTE
  readonly queue: number
  readonly seq: number

  constructor(queue: number, seq: number) {
    super()
    this.queue = queue
    this.seq = seq
    this.stored = true
  }
}

/** A `Note`, or what is left of one. */
interface Noted extends Stored {
  readonly seq: number
}

export class GravePage extends Stored {
  readonly kind = GRAVE
  readonly queue: number
  readonly number: number
  /** A bit for each message that there was. */
  readonly words: Int32Array
  /** Of the queue; after a load of this page alone, whose bodies are stored then. */
  bodies: Bodies
  /** The notes of its messages. Not told by its record, but by theirs. */
  readonly notes: Noted[] = []

  constructor(queue: number, number: number, words: Int32Array, bodies: Bodies) {
    super()
    this.queue = queue
    this.number = number
    this.words = words
    this.bodies = bodies
  }

  /** More of the same messages are purged. */
  add(words: Int32Array, bodies: Bodies): void {
    for (const [at, word] of words.entries()) this.words[at] = (this.words[at] as number) | word
    this.bodies = bodies
  }

  *seqs(): Generator<number> {
    const base = this.number * PAGE_MESSAGES
    for (let seq = base; seq < base + PAGE_MESSAGES; seq++) if (this.has(seq)) yield seq
  }

  /** `seq`: of this page. */
  has(seq: number): boolean {
    const bit = seq % PAGE_MESSAGES
    return ((this.words[bit >> 5] as number) & (1 << (bit & 31))) !== 0
  }
}

export class Graves {
  readonly #table: QueueTable
  /** In the order of (queue, number). */
  pages: GravePage[] = []
  dueAt: Millis = 0

  constructor(table: QueueTable) {
    this.#table = table
  }

  get deadline(): Millis {
    return this.pages.length === 0 ? Infinity : this.dueAt
  }

  /** Everything about the queue's messages is to go. */
  bury(queue: Queue, notes: Iterable<Noted>, now: Millis): void {
    const { changes } = this.#table
    const pages = new Map<number, GravePage>()
    if (this.pages.length === 0) this.#paceFrom(now)
    for (const [number, { words }] of queue.presence.take()) {
      const known = this.pages.find((page) => page.queue === queue.number && page.number === number)
      const page = known ?? new GravePage(queue.number, number, words, queue.bodies)
      if (known === undefined) this.pages.push(page)
      else known.add(words, queue.bodies)
      pages.set(number, page)
      changes.touched(page)
    }
    for (const note of notes) (pages.get(Math.floor(note.seq / PAGE_MESSAGES)) as GravePage).notes.push(note)
    this.restoreOrder()
  }

  /** Deletes what is stored of one page, when it is time. */
  dig(now: Millis): void {
    if (this.deadline > now) return
    const { changes } = this.#table
    const page = this.pages.shift() as GravePage
    for (const seq of page.seqs()) page.bodies.forget(seq)
    for (const note of page.notes) changes.removed(note)
    changes.removed(page)
    this.#paceFrom(now)
  }

  link(queue: number, number: number, words: Int32Array): GravePage {
    const page = new GravePage(queue, number, words, new Bodies(this.#table.cold, this.#table.bodyCache, queue))
    this.pages.push(page)
    return page
  }

  restoreOrder(): void {
    this.pages.sort((a, b) => a.queue - b.queue || a.number - b.number)
  }

  #paceFrom(now: Millis): void {
    this.dueAt = now + PACE_MS
    this.#table.countersChanged = true
  }
}
