/**
 * One queue: its messages in their states, and the few ways to change them. Every change goes through here, so that counts
 * and indexes never disagree.
 *
 *                    lane.runs            ready, nothing to say about it: no object
 *   lanes ─┬─ lane ─┤
 *          └─ lane   lane.returned        ready, with a note         ages, ownAges: how long
 *   notes by number ──▶ timed             leased, delayed, in back-off, or with a time to live of its own
 *                  └──▶ dead
 *   schedule: which lane is next          presence: which messages there are      bodies: what is in them
 *
 * Who may be served is decided in `schedule.ts` and `pump.ts`, what time ends in `expiry.ts`.
 */
import { assert } from '../base/assert.ts'
import type { Millis } from '../base/ids.ts'
import { Bodies } from './bodies.ts'
import { Stored } from './stored.ts'
import { DeadLetters } from './dead-letters.ts'
import { Dedup } from './dedup.ts'
import type { Remains } from './graves.ts'
import { Heap, type Heaped } from './heap.ts'
import { QUEUE } from './kinds.ts'
import { Lane, UNGROUPED_MAX } from './lane.ts'
import { Marks } from './marks.ts'
import { AGED, BACKOFF, DEAD, DELAYED, LEASED, Note, type NoteState, READY, TIMED } from './note.ts'
import { Presence } from './presence.ts'
import { Schedule } from './schedule.ts'
import { Settled } from './settled.ts'
import type { QueueTable } from './table.ts'
import { newTally } from './tally.ts'
import type { QueueConfig, QueueName } from './types.ts'
import type { Demand, Waiter } from './waiter.ts'

export class Queue extends Stored implements Heaped {
  readonly kind = QUEUE
  readonly number: number
  readonly at = [-1]
  lanes = new Map<number, Lane>()
  groups = new Map<string, Lane>()
  notes = new Map<number, Note>()
  /** Leased, and somebody is to be told if the lease is lost. */
  watched = new Set<Note>()
  /** In the order of their coming. */
  readonly waiters = new Map<number, Waiter>()
  timed = new Heap<Note>(TIMED)
  /** Ready notes: those that live as long as the queue says, and those with a time of their own. */
  ages = new Heap<Note>(AGED)
  ownAges = new Heap<Note>(AGED)
  /** In back-off, and living as long as the queue says. */
  heldAges = new Heap<Note>(AGED)
  dead = new DeadLetters()
  readonly presence = new Presence()
  schedule = new Schedule()
  readonly marks: Marks
  readonly dedup: Dedup
  readonly settled: Settled
  readonly bodies: Bodies
  readonly tally = newTally()
  name: QueueName
  config: QueueConfig
  lastSeq = 0
  lastToken = 0
  lastLane: number = UNGROUPED_MAX
  /** Groups up to this number were purged; their records may still be there (`graves.ts`). */
  purgedLane = 0
  lastTurn = 0
  ready = 0
  leased = 0
  delayed = 0
  /** Not after the earliest time at which something is due: `due()` says which. */
  deadline: Millis = Infinity
  /** On the list of the pump. */
  isTouched = false
  readonly #table: QueueTable

  constructor(table: QueueTable, number: number, name: QueueName, config: QueueConfig) {
    super()
    this.#table = table
    this.number = number
    this.name = name
    this.config = config
    this.marks = new Marks(table.changes, number)
    this.dedup = new Dedup(table.changes, number)
    this.settled = new Settled(table.changes, number)
    this.bodies = new Bodies(table.cold, table.bodyCache, number)
  }

  get order(): number {
    return this.number
  }

  keyOf(): number {
    return this.deadline
  }

  /** What counts for `maxLength`. */
  get length(): number {
    return this.ready + this.leased + this.delayed
  }

  /** A record of the queue itself changes. */
  touch(): void {
    this.#table.changes.touched(this)
  }

  laneFor(group: string, priority: number): Lane {
    const known = group === '' ? this.lanes.get(priority) : this.groups.get(group)
    return known ?? this.linkLane(new Lane(this.#table.changes, this.number, group === '' ? priority : ++this.lastLane, group))
  }

  linkLane(lane: Lane): Lane {
    this.lanes.set(lane.number, lane)
    if (lane.isGroup) this.groups.set(lane.group, lane)
    return lane
  }

  // ---- messages without a note ----

  /** A new message, ready, of which nothing is to be said. */
  append(lane: Lane, seq: number, traits: number, now: Millis): void {
    this.marks.add(seq, now, this.schedule.oldest.size > 0)
    lane.runs.append(seq, traits)
    if (lane.runs.size === 1) this.schedule.oldest.add(lane)
    this.presence.add(seq)
    this.ready += 1
    if (this.config.ttlMs > 0) this.hasten(now + this.config.ttlMs)
    this.place(lane, now)
  }

  /** Takes the first message of a lane's runs, for good. */
  dropPlain(lane: Lane, now: Millis): void {
    const seq = lane.runs.first
    this.#shift(lane)
    this.presence.remove(seq)
    this.bodies.forget(seq)
    this.place(lane, now)
  }

  #shift(lane: Lane): void {
    const { oldest } = this.schedule
    lane.runs.shift()
    if (lane.runs.size === 0) oldest.remove(lane)
    this.ready -= 1
    if (this.marks.chunks.length > 0) this.marks.dropBefore(oldest.first()?.runs.first ?? this.lastSeq + 1)
  }

  // ---- messages with one ----

  /** A new message with something to say about it. */
  add(note: Note, now: Millis): void {
    this.link(note)
    this.#table.changes.touched(note)
    this.place(note.lane, now)
  }

  link(note: Note): void {
    this.notes.set(note.seq, note)
    note.lane.notes += 1
    this.presence.add(note.seq)
    this.#enter(note)
  }

  /** Hands the head of a lane out, which is deliverable. */
  lease(lane: Lane, demand: Demand, now: Millis): Note {
    const note = lane.headNote() ?? this.#noteOfFirst(lane)
    note.token = ++this.lastToken
    note.visibilityMs = demand.visibilityMs ?? this.config.visibilityMs
    note.deadline = now + note.visibilityMs
    note.consumer = demand.consumer
    note.watcher = demand.watcher
    if (this.notes.has(note.seq)) this.#leave(note)
    else {
      this.notes.set(note.seq, note)
      lane.notes += 1
    }
    note.state = LEASED
    this.#enter(note)
    this.touch()
    this.#table.changes.touched(note)
    this.place(lane, now, true)
    return note
  }

  #noteOfFirst(lane: Lane): Note {
    const { first, traits } = lane.runs
    const since = this.marks.timeOf(first, this.lastSeq, lane)
    this.#shift(lane)
    return new Note(lane, first, traits, LEASED, since, 0)
  }

  /** Puts a note into another state; what goes with that is set before (but `deadline`, which follows from it). */
  move(note: Note, state: NoteState, now: Millis): void {
    this.#leave(note)
    note.state = state
    this.#enter(note)
    this.#table.changes.touched(note)
    this.place(note.lane, now)
  }

  /** A dead message is ready again, as if it had come now, but at its old place. */
  revive(note: Note, now: Millis): void {
    this.#leave(note)
    note.state = READY
    note.failures = 0
    note.since = now
    this.#enter(note)
    this.#table.changes.touched(note)
    this.place(note.lane, now)
  }

  /** The lease of a note ends at another time. */
  extend(note: Note, deadline: Millis): void {
    note.deadline = deadline
    this.timed.moved(note)
    this.hasten(deadline)
    this.#table.changes.touched(note)
  }

  /** The message is gone, for ever. */
  remove(note: Note, now: Millis): void {
    this.#leave(note)
    this.notes.delete(note.seq)
    note.lane.notes -= 1
    this.#table.changes.removed(note)
    this.presence.remove(note.seq)
    this.bodies.forget(note.seq)
    this.place(note.lane, now)
  }

  #enter(note: Note): void {
    const { lane, state, ttlMs } = note
    if (state === DEAD) return this.dead.add(note)
    if (state === READY) {
      this.ready += 1
      lane.putIn(note)
      if (ttlMs > 0) this.ownAges.add(note)
      else this.#addAged(this.ages, note)
      note.deadline = ttlMs > 0 ? note.since + ttlMs : Infinity
    } else if (state === LEASED) {
      this.leased += 1
      if (note.watcher !== '') this.watched.add(note)
    } else this.delayed += 1
    if (state === DELAYED) note.deadline = note.since
    if (state === BACKOFF) {
      note.deadline = ttlMs > 0 ? Math.min(note.changedAt, note.since + ttlMs) : note.changedAt
      if (ttlMs === 0) this.#addAged(this.heldAges, note)
    }
    if (lane.isGroup && (state === LEASED || state === BACKOFF)) {
      assert(lane.held === null, 'a group is held twice')
      lane.held = note
    }
    if (note.deadline === Infinity) return
    this.timed.add(note)
    this.hasten(note.deadline)
  }

  #leave(note: Note): void {
    const { lane, state, ttlMs } = note
    if (state === DEAD) return this.dead.remove(note)
    if (state === READY) {
      this.ready -= 1
      lane.takeOut(note)
      if (ttlMs > 0) this.ownAges.remove(note)
      else this.ages.remove(note)
    } else if (state === LEASED) {
      this.leased -= 1
      if (this.watched.size > 0) this.watched.delete(note)
    } else this.delayed -= 1
    if (state === BACKOFF && ttlMs === 0) this.heldAges.remove(note)
    if (lane.held === note) lane.held = null
    if (this.timed.has(note)) this.timed.remove(note)
  }

  #addAged(heap: Heap<Note>, note: Note): void {
    heap.add(note)
    if (this.config.ttlMs > 0) this.hasten(note.since + this.config.ttlMs)
  }

  // ---- lanes ----

  /** After every change of a lane: whether, and when, it is its turn. `isServed`: it had it just now. */
  place(lane: Lane, now: Millis, isServed = false): void {
    this.#table.changes.touched(lane)
    if (!lane.isDeliverable) {
      this.schedule.withdraw(lane)
      if (lane.isGroup && lane.isEmpty) this.#forgetLane(lane)
      return
    }
    const isNew = lane.urgency < 0
    if (isNew && lane.isGroup) lane.since = now
    if (isNew || isServed) {
      lane.turn = ++this.lastTurn
      this.touch()
    }
    this.schedule.place(lane, lane.headPriority(), lane.headSince(this.marks, this.lastSeq), now)
    if (this.waiters.size > 0) this.#table.wake(this)
  }

  #forgetLane(lane: Lane): void {
    this.lanes.delete(lane.number)
    this.groups.delete(lane.group)
    this.#table.changes.removed(lane)
  }

  /** A lane as it was stored, its notes linked: what follows from it. */
  restore(lane: Lane): void {
    this.ready += lane.runs.size
    if (lane.runs.size > 0) this.schedule.oldest.add(lane)
    if (!lane.isDeliverable) return
    const since = lane.headSince(this.marks, this.lastSeq)
    this.schedule.place(lane, lane.headPriority(), since, since)
  }

  // ---- time ----

  /** Something is due at `deadline`. */
  hasten(deadline: Millis): void {
    if (deadline >= this.deadline) return
    this.deadline = deadline
    this.#table.due.moved(this)
  }

  /** When the oldest message without a time to live of its own is over it; Infinity: never. */
  outlivesAt(): Millis {
    const { ttlMs } = this.config
    if (ttlMs === 0) return Infinity
    const note = Math.min(this.ages.first()?.since ?? Infinity, this.heldAges.first()?.since ?? Infinity)
    return Math.min(this.oldestPlain(), note) + ttlMs
  }

  /** When the oldest ready message without a note was enqueued; Infinity: there is none. */
  oldestPlain(): Millis {
    const lane = this.schedule.oldest.first()
    return lane === null ? Infinity : this.marks.timeOf(lane.runs.first, this.lastSeq, lane)
  }

  /** The earliest time at which something is due, exactly. */
  due(): Millis {
    return Math.min(this.timed.first()?.deadline ?? Infinity, this.outlivesAt(), this.dedup.deadline)
  }

  /** Forgets all messages, whatever their number; what is stored of them is left to who asks. */
  clear(): Remains {
    const remains = { notes: this.notes, lanes: this.groups }
    const kept = [...Array(UNGROUPED_MAX + 1).keys()].map((priority) => this.lanes.get(priority)).filter((lane) => lane !== undefined)
    this.lanes = new Map(kept.map((lane) => [lane.number, lane]))
    this.groups = new Map()
    this.purgedLane = this.lastLane
    this.notes = new Map()
    this.watched = new Set()
    this.timed = new Heap(TIMED)
    this.ages = new Heap(AGED)
    this.ownAges = new Heap(AGED)
    this.heldAges = new Heap(AGED)
    this.dead = new DeadLetters()
    this.schedule = new Schedule()
    for (const lane of kept) {
      lane.clear()
      this.#table.changes.touched(lane)
    }
    this.ready = this.leased = this.delayed = 0
    this.marks.forget()
    this.touch()
    return remains
  }

  /** A note that was loaded turns out to be buried. */
  disown(note: Note): void {
    this.#leave(note)
    this.notes.delete(note.seq)
    note.lane.notes -= 1
    this.presence.remove(note.seq)
  }
}
