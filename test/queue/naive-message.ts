/** A message of the naive model: everything about it in one object, whatever its state. */
import type { MessageState, NewMessage } from '../../src/queue/types.ts'

export interface NaiveMessage {
  readonly id: string
  readonly seq: number
  readonly group: string
  readonly priority: number
  readonly body: Uint8Array
  readonly enqueuedAt: number
  /** Its own time to live, 0: the queue's. */
  readonly ttlMs: number
  state: MessageState
  /** Delayed: until when, and whether its group waits behind it (a back-off does that, the delay of an enqueue does not). */
  readyAt: number
  holdsGroup: boolean
  /** From when it lives, and ages: its enqueueing, or when its delay was over. */
  since: number
  /** Of its last delivery, 0: none yet. */
  token: number
  deadline: number
  visibilityMs: number
  consumer: string
  watcher: string
  /** Deliveries that count and failed. */
  failures: number
  /** Why it was given back last, or died. */
  reason: string
  diedAt: number
  checkpoint: string | null
}

export function newMessage(message: NewMessage, id: string, seq: number, time: number): NaiveMessage {
  const { group, priority, body, ttlMs, delayMs } = message
  return {
    id,
    seq,
    group,
    priority,
    body,
    ttlMs,
    enqueuedAt: time,
    state: delayMs > 0 ? 'delayed' : 'ready',
    readyAt: time + delayMs,
    holdsGroup: false,
    since: time + delayMs,
    token: 0,
    deadline: 0,
    visibilityMs: 0,
    consumer: '',
    watcher: '',
    failures: 0,
    reason: '',
    diedAt: 0,
    checkpoint: null,
  }
}
