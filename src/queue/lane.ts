/**
 * Messages that keep an order among themselves: those of a group, or those of one priority without a group. The least number
 * goes first, whether it stands in a run or came back.
 *
 *   returned (heap of notes) ─┐
 *                             ├─ head: the least number      group: nothing goes while one of it is leased or in back-off
 *   runs ─────────────────────┘
 *
 * A lane without a group is kept once it was used; a group is forgotten with its last message.
 */
import type { Millis } from '../base/ids.ts'
import type { Changes } from '../base/changes.ts'
import { Stored } from './stored.ts'
import type { Chunk } from './chunk.ts'
import { Heap, type Heaped } from './heap.ts'
import { LANE } from './kinds.ts'
import { type Note, PLACED, priorityOf } from './note.ts'
import type { MarkCursor, Marks } from './marks.ts'
import { Runs } from './runs.ts'
import { QUEUE_LIMITS } from './types.ts'

/** Slots. By the first message of the runs, where there are any. */
export const OLDEST = 0
/** Within its urgency, by turn. */
export const TURN = 1
/** By when it becomes more urgent. */
export const RIPENING = 2
/** By its head, where that can be delivered. */
export const HEAD = 3

/** Numbers up to this one are the lanes without a group, one per priority. */
export const UNGROUPED_MAX = QUEUE_LIMITS.priorityMax

export class Lane extends Stored implements Heaped, MarkCursor {
  readonly kind = LANE
  readonly queue: number
  readonly number: number
  /** '' : none. */
  readonly group: string
  readonly runs: Runs
  readonly at = [-1, -1, -1, -1]
  returned: Heap<Note> | null = null
  /** Of a group: the one that is leased or in back-off. */
  held: Note | null = null
  /** Notes that refer to it. */
  notes = 0
  /** When it was served last, or became ready: rising over the lanes of the queue. */
  turn = 0
  /** Of a group: since when its head could be delivered. */
  since: Millis = 0
  /** -1: nothing of it can be delivered now. Derived, as of the last look. */
  urgency = -1
  ripensAt: Millis = Infinity
  markFrom = 0
  markUntil = 0
  markTime: Millis = 0
  markChunk: Chunk | null = null
  markAt = 0

  constructor(changes: Changes<Stored>, queue: number, number: number, group: string) {
    super()
    this.queue = queue
    this.number = number
    this.group = group
    this.runs = new Runs(changes, queue, number)
  }

  get isGroup(): boolean {
    return this.number > UNGROUPED_MAX
  }

  get isEmpty(): boolean {
    return this.runs.size === 0 && this.notes === 0
  }

  get order(): number {
    return this.number
  }

  keyOf(slot: number): number {
    if (slot === OLDEST) return this.runs.first
    return slot === TURN ? this.turn : slot === RIPENING ? this.ripensAt : this.headSeq()
  }

  /** The head where it is a note; null: it stands in the runs, or there is none. */
  headNote(): Note | null {
    const note = this.returned === null ? null : this.returned.first()
    return note !== null && (this.runs.size === 0 || note.seq < this.runs.first) ? note : null
  }

  /** Messages of it that are ready. */
  get ready(): number {
    return this.runs.size + (this.returned?.size ?? 0)
  }

  /** Whether its head can be delivered now. */
  get isDeliverable(): boolean {
    return this.held === null && this.ready > 0
  }

  /** Of the head, which is there. */
  headSeq(): number {
    return this.headNote()?.seq ?? this.runs.first
  }

  /** Of the head, which is there. */
  headPriority(): number {
    return priorityOf(this.headNote()?.traits ?? this.runs.traits)
  }

  /** Since when the head waits to be delivered. */
  headSince(marks: Marks, newest: number): Millis {
    if (this.isGroup) return this.since
    return this.headNote()?.since ?? marks.timeOf(this.runs.first, newest, this)
  }

  /** Puts a note to its place. */
  putIn(note: Note): void {
    this.returned ??= new Heap<Note>(PLACED)
    this.returned.add(note)
  }

  takeOut(note: Note): void {
    this.returned?.remove(note)
  }

  /** Forgets its messages, and the heaps that it was in, which are gone. */
  clear(): void {
    this.runs.clear()
    this.returned = this.held = null
    this.notes = 0
    this.urgency = -1
    this.ripensAt = Infinity
    this.at.fill(-1)
  }
}
