/**
 * What purged messages leave in the store, which is deleted little by little: a purge is one record, and ten million deletions
 * are not one batch, nor is a million objects looked at in one turn.
 *
 *   page: a bit for each message that there was      its record stays until their bodies, and their notes' records, are gone
 *   pit: the groups of a queue that there were       told by the queue's record: all lanes up to a number (`purgedLane`)
 *
 * Whether a body was stored yet is the replica's own affair: so it is asked when the page is dug up, and no record tells of it.
 * Notes and lanes that were not stored yet are still written, for all replicas have the same records.
 */
import type { Millis } from '../base/ids.ts'
import { Bodies } from './bodies.ts'
import { type BuriedLane, BuriedNote } from './buried.ts'
import { Stored } from './stored.ts'
import { GRAVE } from './kinds.ts'
import type { Lane } from './lane.ts'
import type { Note } from './note.ts'
import { PAGE_MESSAGES } from './presence.ts'
import type { Queue } from './queue.ts'
import type { QueueTable } from './table.ts'

/** A page, and some lanes, are dug up so often: with all that follows it takes a replica up to half of that time. */
export const PACE_MS = 50
export const LANES_PER_DIG = 1_000

/** Of a purged queue. They are left as they were, and belong to the graves now. */
export interface Remains {
  readonly notes: Map<number, Note>
  /** Groups, in the order of their numbers. */
  readonly lanes: ReadonlyMap<string, Lane>
}

export class GravePage extends Stored {
  readonly kind = GRAVE
  readonly queue: number
  readonly number: number
  /** A bit for each message that there was. */
  readonly words: Int32Array
  /** Of the queue; after a load of this page alone, whose bodies are stored then. */
  bodies: Bodies
  /** Where notes of its messages are, among those of other pages. Not told by its record, but by theirs. */
  readonly notes: Map<number, Note | BuriedNote>[] = []

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

  /** A note that was loaded. */
  addNote(note: Note | BuriedNote): void {
    const notes = this.notes[0] ?? new Map<number, Note | BuriedNote>()
    this.notes[0] = notes.set(note.seq, note)
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

/** The buried groups of a queue. */
interface Pit {
  readonly queue: number
  left: number
  /** One after the other; each in the order of the lanes' numbers. */
  readonly sources: Iterator<Lane | BuriedLane>[]
}

export class Graves {
  readonly #table: QueueTable
  /** In the order of (queue, number). */
  pages: GravePage[] = []
  /** In the order of the queues. */
  #pits: Pit[] = []
  dueAt: Millis = 0

  constructor(table: QueueTable) {
    this.#table = table
  }

  get deadline(): Millis {
    return this.pages.length === 0 && this.#pits.length === 0 ? Infinity : this.dueAt
  }

  /** Everything about the queue's messages is to go. */
  bury(queue: Queue, { notes, lanes }: Remains, now: Millis): void {
    const { changes } = this.#table
    if (this.deadline === Infinity) this.#paceFrom(now)
    const known = new Map(this.pages.filter((page) => page.queue === queue.number).map((page) => [page.number, page]))
    for (const [number, { words }] of queue.presence.take()) {
      const page = known.get(number) ?? new GravePage(queue.number, number, words, queue.bodies)
      if (known.has(number)) page.add(words, queue.bodies)
      else this.pages.push(page)
      if (notes.size > 0) page.notes.push(notes)
      changes.touched(page)
    }
    this.buryLanes(queue.number, lanes.values(), lanes.size)
    this.restoreOrder()
  }

  /** `count` lanes of the queue, in the order of their numbers, which are higher than those of the lanes that were buried before. */
  buryLanes(queue: number, lanes: Iterator<Lane | BuriedLane>, count: number): void {
    if (count === 0) return
    const pit = this.#pits.find((one) => one.queue === queue) ?? { queue, left: 0, sources: [] }
    if (pit.left === 0) this.#pits.push(pit)
    pit.left += count
    pit.sources.push(lanes)
  }

  /** Deletes some of what is stored, when it is time. */
  dig(now: Millis): void {
    if (this.deadline > now) return
    const page = this.pages.shift()
    if (page !== undefined) this.#digPage(page)
    const pit = this.#pits[0]
    if (pit !== undefined) this.#digPit(pit)
    this.#paceFrom(now)
  }

  #digPage(page: GravePage): void {
    const { changes } = this.#table
    for (const seq of page.seqs()) {
      page.bodies.forget(seq)
      for (const notes of page.notes) {
        const note = notes.get(seq)
        if (note === undefined) continue
        notes.delete(seq)
        changes.removed(note)
      }
    }
    changes.removed(page)
  }

  #digPit(pit: Pit): void {
    const { changes } = this.#table
    for (let nth = 0; nth < LANES_PER_DIG && pit.left > 0;) {
      const { done, value: lane } = (pit.sources[0] as Iterator<Lane | BuriedLane, undefined>).next()
      if (done === true) {
        pit.sources.shift()
        continue
      }
      for (const chunk of lane.runs.chunks) changes.removed(chunk)
      changes.removed(lane)
      pit.left -= 1
      nth += 1
    }
    // At once: a replica that loads the state knows of no pit without lanes.
    if (pit.left === 0) this.#pits.shift()
  }

  link(queue: number, number: number, words: Int32Array): GravePage {
    const page = new GravePage(queue, number, words, new Bodies(this.#table.cold, this.#table.bodyCache, queue))
    this.pages.push(page)
    return page
  }

  restoreOrder(): void {
    this.pages.sort((a, b) => a.queue - b.queue || a.number - b.number)
    this.#pits.sort((a, b) => a.queue - b.queue)
  }

  #paceFrom(now: Millis): void {
    this.dueAt = now + PACE_MS
    this.#table.countersChanged = true
  }
}
