/**
 * What there is to say about one message, while there is something to say: it is leased, delayed, was given back, is dead, or
 * has a time to live of its own. A message that is simply ready has none, and costs no object.
 *
 *   ready ──▶ leased ──▶ back-off ──▶ ready        delayed ──▶ ready        leased ──▶ dead ──▶ ready
 *
 * Invariant: it is in those heaps, and only those, that its state says (`queue.ts`).
 */
import type { Millis } from '../base/ids.ts'
import { Stored } from './stored.ts'
import type { Heaped } from './heap.ts'
import { NOTE } from './kinds.ts'
import type { Lane } from './lane.ts'
import { QUEUE_LIMITS } from './types.ts'

export const READY = 0
export const LEASED = 1
/** Since it was enqueued. */
export const DELAYED = 2
/** Since it was given back, or its lease expired. */
export const BACKOFF = 3
export const DEAD = 4
export type NoteState = typeof READY | typeof LEASED | typeof DELAYED | typeof BACKOFF | typeof DEAD

/** Slots. What has a deadline. */
export const TIMED = 0
/** What is ready or in back-off, by how long it has been there; what is dead, by number among those of its reason. */
export const AGED = 1
/** What its lane hands out before or between its runs; all that is dead. Both by number. */
export const PLACED = 2

/** Bodies count in steps of this much against `dequeueBytesMax`. */
const STEP_BYTES = 2_048
const PRIORITIES = QUEUE_LIMITS.priorityMax + 1

/** What runs are made of alike messages of: priority, and size in steps. */
export function traitsOf(priority: number, bodyBytes: number): number {
  return Math.max(1, Math.ceil(bodyBytes / STEP_BYTES)) * PRIORITIES + priority
}

export function priorityOf(traits: number): number {
  return traits % PRIORITIES
}

/** At least as many as the body has. */
export function bytesOf(traits: number): number {
  return Math.floor(traits / PRIORITIES) * STEP_BYTES
}

export class Note extends Stored implements Heaped {
  readonly kind = NOTE
  readonly lane: Lane
  readonly seq: number
  readonly traits: number
  readonly at = [-1, -1, -1]
  state: NoteState
  /** When something happens to it by itself; Infinity: never. */
  deadline: Millis = Infinity
  /** When it was enqueued, became visible for the first time, or was redriven: what its age counts from. */
  since: Millis
  /** A time to live of its own; 0: that of the queue. */
  readonly ttlMs: Millis
  /** Back-off: its end. Dead: when it died. */
  changedAt: Millis = 0
  /** Of its last delivery; 0: none yet. */
  token = 0
  /** Deliveries that count and came to nothing. */
  failures = 0
  visibilityMs: Millis = 0
  consumer = ''
  watcher = ''
  reason = ''
  checkpoint: string | null = null

  constructor(lane: Lane, seq: number, traits: number, state: NoteState, since: Millis, ttlMs: Millis) {
    super()
    this.lane = lane
    this.seq = seq
    this.traits = traits
    this.state = state
    this.since = since
    this.ttlMs = ttlMs
  }

  get queue(): number {
    return this.lane.queue
  }

  get order(): number {
    return this.seq
  }

  keyOf(slot: number): number {
    if (slot === TIMED) return this.deadline
    if (slot === PLACED || this.state === DEAD) return this.seq
    return this.since
  }
}
