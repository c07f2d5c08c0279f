/**
 * Takes records back, in any order. In the order of their keys, which is the usual one, each is linked at once; one that
 * comes before what it refers to waits for the end. What is derived of a whole (presence, schedule) is made there.
 */
import { assert } from '../base/assert.ts'
import { ByteReader } from '../raft/bytes.ts'
import { readPlain } from '../raft/plain.ts'
import { Chunk } from './chunk.ts'
import { DedupPage } from './dedup.ts'
import { FloorOfFence } from './fences.ts'
import { BuriedNote, type GravePage } from './graves.ts'
import { numberAt } from './keys.ts'
import { COUNTERS, DEDUP, FENCE, GRAVE, LANE, MARKS, NOTE, QUEUE, RUNS, SETTLED, WAITER } from './kinds.ts'
import { Lane } from './lane.ts'
import { LEASED, Note, type NoteState } from './note.ts'
import { PAGE_MESSAGES } from './presence.ts'
import { Queue } from './queue.ts'
import { VERSION } from './records.ts'
import type { QueueTable } from './table.ts'
import type { QueueConfig } from './types.ts'
import { Waiter } from './waiter.ts'

/** A name may begin with U+FEFF, which a decoder else swallows. */
const FROM_TEXT = new TextDecoder('utf-8', { ignoreBOM: true })

interface Early {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

export class Loader {
  readonly #table: QueueTable
  #early: Early[] = []
  /** By queue and number. */
  readonly #graves = new Map<number, Map<number, GravePage>>()

  constructor(table: QueueTable) {
    this.#table = table
  }

  /** One record. What no machine wrote is a bug or a damaged store: it asserts. */
  load(key: Uint8Array, value: Uint8Array): void {
    if (!this.#link(key, value)) this.#early.push({ key: Uint8Array.from(key), value: Uint8Array.from(value) })
  }

  finish(): void {
    this.#early.sort((a, b) => (a.key[0] as number) - (b.key[0] as number))
    for (const { key, value } of this.#early) assert(this.#link(key, value), 'a queue record refers to one that is not there')
    this.#early = []
    const table = this.#table
    restoreOrder(table.byNumber)
    restoreOrder(table.waiters)
    table.graves.restoreOrder()
    for (const queue of table.byNumber.values()) finishQueue(queue)
  }

  /** Whether what it refers to was there. */
  #link(key: Uint8Array, value: Uint8Array): boolean {
    const input = new ByteReader(value)
    assert(input.u8() === VERSION, 'a queue record of an unknown version')
    const linked = this.#read(key, input)
    assert(!linked || (input.ok && input.left === 0), `a queue record cannot be read: kind ${key[0]}`)
    return linked
  }

  #read(key: Uint8Array, input: ByteReader): boolean {
    const kind = key[0] as number
    if (kind === COUNTERS) return this.#readCounters(input)
    if (kind === QUEUE) return this.#readQueue(numberAt(key, 0), input)
    if (kind === FENCE) return this.#readFence(FROM_TEXT.decode(key.subarray(1)), input)
    if (kind === WAITER) return this.#readWaiter(numberAt(key, 0), input)
    const [number, second] = [numberAt(key, 0), numberAt(key, 1)]
    if (kind === GRAVE) return this.#readGrave(number, second, input)
    if (kind === NOTE && this.#isBuried(number, second, input)) return true
    const queue = this.#table.byNumber.get(number)
    if (queue === undefined) return false
    switch (kind) {
      case LANE:
        return readLane(this.#table, queue, second, input)
      case RUNS:
        return readRuns(queue, second, numberAt(key, 2), input)
      case MARKS:
        return readPage(queue.marks.chunks, new Chunk(MARKS, number, 0, second, input.varint(), input.varint()), input)
      case SETTLED:
        return readPage(queue.settled.pages, new Chunk(SETTLED, number, 0, second, 0, 0), input)
      case NOTE:
        return readNote(queue, second, input)
      case DEDUP:
        return readDedup(queue, second, input)
    }
    assert(false, `a queue record of an unknown kind: ${kind}`)
  }

  #readCounters(input: ByteReader): boolean {
    this.#table.lastQueue = input.varint()
    this.#table.graves.dueAt = input.varint()
    return true
  }

  #readQueue(number: number, input: ByteReader): boolean {
    const name = { namespace: input.text(), queue: input.text() }
    const queue = new Queue(this.#table, number, name, readPlain(input) as unknown as QueueConfig)
    queue.lastSeq = input.varint()
    queue.lastToken = input.varint()
    queue.lastLane = input.varint()
    queue.lastTurn = input.varint()
    const { marks, settled } = queue
    marks.lastSeq = input.varint()
    marks.lastTime = input.varint()
    marks.writtenSeq = input.varint()
    marks.writtenTime = input.varint()
    marks.lastChunk = input.varint()
    settled.count = input.varint()
    settled.lastPage = input.varint()
    queue.stored = true
    this.#table.link(queue)
    return true
  }

  #readFence(resource: string, input: ByteReader): boolean {
    const floor = new FloorOfFence(resource, input.varint())
    floor.stored = true
    this.#table.fences.link(floor)
    return true
  }

  #readWaiter(ticket: number, input: ByteReader): boolean {
    const queue = this.#table.byNumber.get(input.varint())
    if (queue === undefined) return false
    const deadline = input.varint()
    const max = input.varint()
    const visibility = input.varint()
    const demand = { max, visibilityMs: visibility === 0 ? null : visibility - 1, consumer: input.text(), watcher: input.text() }
    const waiter = new Waiter(queue, ticket, demand, deadline)
    waiter.stored = true
    this.#table.linkWaiter(waiter)
    return true
  }

  #readGrave(queue: number, number: number, input: ByteReader): boolean {
    const words = Int32Array.from({ length: PAGE_MESSAGES / 32 }, () => input.u32())
    const page = this.#table.graves.link(queue, number, words)
    page.stored = true
    const pages = this.#graves.get(queue) ?? new Map<number, GravePage>()
    this.#graves.set(queue, pages.set(number, page))
    const notes = this.#table.byNumber.get(queue)
    // Only where records come in another order than that of their keys.
    if (notes !== undefined) for (const seq of page.seqs()) disown(notes, seq, page)
    return true
  }

  #isBuried(queue: number, seq: number, input: ByteReader): boolean {
    const page = this.#graves.get(queue)?.get(Math.floor(seq / PAGE_MESSAGES))
    if (page === undefined || !page.has(seq)) return false
    page.notes.push(new BuriedNote(queue, seq))
    input.raw(input.left)
    return true
  }
}

function disown(queue: Queue, seq: number, page: GravePage): void {
  const note = queue.notes.get(seq)
  if (note === undefined) return
  queue.disown(note)
  page.notes.push(note)
}

function readLane(table: QueueTable, queue: Queue, number: number, input: ByteReader): boolean {
  const lane = new Lane(table.changes, queue.number, number, input.text())
  lane.turn = input.varint()
  lane.since = input.varint()
  const { runs } = lane
  runs.size = input.varint()
  runs.first = input.varint()
  runs.count = input.varint()
  runs.traits = input.varint()
  runs.lastFirst = input.varint()
  runs.lastCount = input.varint()
  runs.lastTraits = input.varint()
  runs.readAt = input.varint()
  runs.readEnd = input.varint()
  runs.writtenEnd = input.varint()
  runs.lastChunk = input.varint()
  runs.firstChunk = input.varint()
  lane.stored = true
  queue.linkLane(lane)
  for (const [first, count] of runs.open()) queue.presence.addRun(first, count)
  return true
}

function readRuns(queue: Queue, number: number, page: number, input: ByteReader): boolean {
  const lane = queue.lanes.get(number)
  if (lane === undefined) return false
  const chunk = new Chunk(RUNS, queue.number, number, page, input.varint(), 0)
  readPage(lane.runs.chunks, chunk, input)
  for (const [first, count] of lane.runs.inPage(chunk)) queue.presence.addRun(first, count)
  return true
}

function readPage(pages: Chunk[], page: Chunk, input: ByteReader): boolean {
  page.fill(input.raw(input.left))
  page.stored = true
  pages.push(page)
  return true
}

function readNote(queue: Queue, seq: number, input: ByteReader): boolean {
  const lane = queue.lanes.get(input.varint())
  if (lane === undefined) return false
  const [traits, state, since, ttlMs] = [input.varint(), input.varint(), input.varint(), input.varint()]
  const note = new Note(lane, seq, traits, state as NoteState, since, ttlMs)
  note.changedAt = input.varint()
  note.token = input.varint()
  note.failures = input.varint()
  note.visibilityMs = input.varint()
  if (state === LEASED) note.deadline = input.varint()
  note.consumer = input.text()
  note.watcher = input.text()
  note.reason = input.text()
  if (input.u8() === 1) note.checkpoint = input.text()
  note.stored = true
  queue.link(note)
  return true
}

function readDedup(queue: Queue, number: number, input: ByteReader): boolean {
  const page = new DedupPage(queue.number, number)
  while (input.left > 0) page.push({ id: input.text(), seq: input.varint(), expiresAt: input.varint() })
  page.stored = true
  queue.dedup.pages.push(page)
  return true
}

function finishQueue(queue: Queue): void {
  queue.marks.chunks.sort(byNumber)
  queue.settled.pages.sort(byNumber)
  queue.dedup.restore()
  restoreOrder(queue.waiters)
  for (const lane of queue.lanes.values()) {
    lane.runs.chunks.sort(byNumber)
    queue.restore(lane)
  }
  queue.presence.restoreOrder()
  queue.hasten(queue.due())
}

function byNumber(a: { readonly number: number }, b: { readonly number: number }): number {
  return a.number - b.number
}

function restoreOrder<T>(map: Map<number, T>): void {
  const ordered = [...map].sort(([a], [b]) => a - b)
  map.clear()
  for (const [number, item] of ordered) map.set(number, item)
}
