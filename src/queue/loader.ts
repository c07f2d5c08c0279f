/**
 * Takes records back, in any order. In the order of their keys, which is the usual one, each is linked at once; one that
 * comes before what it refers to waits for the end. What is derived of a whole (presence, schedule) is made there, part by part.
 */
import { assert } from '../base/assert.ts'
import { ByteReader } from '../raft/bytes.ts'
import { readPlain } from '../raft/plain.ts'
import { Chunk } from './chunk.ts'
import { DedupPage } from './dedup.ts'
import { FloorOfFence } from './fences.ts'
import { BuriedLane, BuriedNote, BuriedRuns } from './buried.ts'
import type { GravePage } from './graves.ts'
import { numberAt } from './keys.ts'
import { COUNTERS, DEDUP, FENCE, GRAVE, LANE, MARKS, NOTE, QUEUE, RUNS, SETTLED, WAITER } from './kinds.ts'
import { Lane, UNGROUPED_MAX } from './lane.ts'
import { LEASED, Note, type NoteState } from './note.ts'
import { PAGE_MESSAGES } from './presence.ts'
import { Queue } from './queue.ts'
import { VERSION } from './records.ts'
import type { QueueTable } from './table.ts'
import type { QueueConfig } from './types.ts'
import { Waiter } from './waiter.ts'

/** Records, or lanes, that one turn takes at the end. */
const TURN_STEPS = 2_000

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
  /** Groups that were purged, by queue and number. */
  readonly #buried = new Map<number, Map<number, BuriedLane>>()
  #areQueuesThere = false
  #end: Generator<void, void> | null = null

  constructor(table: QueueTable) {
    this.#table = table
  }

  /** One record. What no machine wrote is a bug or a damaged store: it asserts. */
  load(key: Uint8Array, value: Uint8Array): void {
    if (!this.#link(key, value)) this.#early.push({ key: Uint8Array.from(key), value: Uint8Array.from(value) })
  }

  /** After the last record: a part of what follows. Returns whether that was all. */
  prepare(): boolean {
    this.#end ??= this.#finishing()
    return this.#end.next().done === true
  }

  finish(): void {
    while (!this.prepare());
  }

  *#finishing(): Generator<void, void> {
    const early = this.#early
    this.#early = []
    this.#areQueuesThere = true
    early.sort((a, b) => (a.key[0] as number) - (b.key[0] as number))
    for (const [nth, { key, value }] of early.entries()) {
      assert(this.#link(key, value), 'a queue record refers to one that is not there')
      if (nth % TURN_STEPS === TURN_STEPS - 1) yield
    }
    const table = this.#table
    restoreOrder(table.byNumber)
    restoreOrder(table.waiters)
    for (const [queue, lanes] of this.#buried) {
      restoreOrder(lanes)
      table.graves.buryLanes(queue, lanes.values(), lanes.size)
    }
    table.graves.restoreOrder()
    // The graves have them; whoever loaded them lives as long as the machine.
    this.#buried.clear()
    this.#graves.clear()
    for (const queue of table.byNumber.values()) yield* finishQueue(queue)
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
    if (kind === LANE && this.#isPurged(queue, second)) return this.#buryLane(number, second, input)
    if (kind === RUNS && this.#isPurged(queue, second)) return this.#buryRuns(number, second, numberAt(key, 2), input)
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
    if (input.left > 0) queue.purgedLane = input.varint()
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
    const visibilityMs = visibility === 0 ? null : visibility - 1
    const [consumer, watcher, gateway] = [input.text(), input.text(), input.left > 0 ? input.text() : '']
    const demand = { max, visibilityMs, consumer, watcher, gateway }
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
    page.addNote(new BuriedNote(queue, seq))
    input.raw(input.left)
    return true
  }

  /** `queue` undefined: it was deleted, once all that there are have come. */
  #isPurged(queue: Queue | undefined, lane: number): boolean {
    return queue === undefined ? this.#areQueuesThere : lane > UNGROUPED_MAX && lane <= queue.purgedLane
  }

  #buryLane(queue: number, number: number, input: ByteReader): boolean {
    const lanes = this.#buried.get(queue) ?? new Map<number, BuriedLane>()
    this.#buried.set(queue, lanes.set(number, new BuriedLane(queue, number)))
    input.raw(input.left)
    return true
  }

  #buryRuns(queue: number, lane: number, page: number, input: ByteReader): boolean {
    const buried = this.#buried.get(queue)?.get(lane)
    if (buried === undefined) return false
    buried.runs.chunks.push(new BuriedRuns(queue, lane, page))
    input.raw(input.left)
    return true
  }
}

function disown(queue: Queue, seq: number, page: GravePage): void {
  const note = queue.notes.get(seq)
  if (note === undefined) return
  queue.disown(note)
  page.addNote(note)
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

function* finishQueue(queue: Queue): Generator<void, void> {
  queue.marks.chunks.sort(byNumber)
  queue.settled.pages.sort(byNumber)
  yield* queue.dedup.restore()
  restoreOrder(queue.waiters)
  let nth = 0
  for (const lane of queue.lanes.values()) {
    lane.runs.chunks.sort(byNumber)
    queue.restore(lane)
    if (++nth % TURN_STEPS === 0) yield
  }
  queue.presence.restoreOrder()
  queue.hasten(queue.due())
}

function byNumber(a: { readonly number: number }, b: { readonly number: number }): number {
  return a.number - b.number
}

function restoreOrder<T>(map: Map<number, T>): void {
  if (isInOrder(map.keys())) return
  const ordered = [...map].sort(([a], [b]) => a - b)
  map.clear()
  for (const [number, item] of ordered) map.set(number, item)
}

function isInOrder(numbers: Iterable<number>): boolean {
  let last = -1
  for (const number of numbers) {
    if (number < last) return false
    last = number
  }
  return true
}
