/** A leased message comes back unacknowledged: to its place in its lane, at once or after a back-off, or to the dead. */
import type { Millis } from '../base/ids.ts'
import { backoffMs } from './backoff.ts'
import { BACKOFF, DEAD, type Note, READY } from './note.ts'
import type { Queue } from './queue.ts'

export interface Return {
  readonly reason: string
  /** null: the back-off of the queue. */
  readonly delayMs: Millis | null
  /** Whether the delivery counts as a failure. */
  readonly counts: boolean
}

export function comeBack(queue: Queue, note: Note, { reason, delayMs, counts }: Return, now: Millis): void {
  const { maxDeliveries, poison, backoff } = queue.config
  if (counts) note.failures += 1
  note.reason = reason
  note.consumer = note.watcher = ''
  if (counts && note.failures >= maxDeliveries && poison === 'dlq') {
    note.changedAt = now
    note.deadline = Infinity
    queue.tally.dead += 1
    return queue.move(note, DEAD, now)
  }
  if (expiresAt(queue, note) <= now) {
    queue.tally.outlived += 1
    return queue.remove(note, now)
  }
  const wait = delayMs ?? backoffMs(backoff, Math.max(1, note.failures), queue.number, note.seq)
  note.changedAt = now + wait
  queue.move(note, wait > 0 ? BACKOFF : READY, now)
}

/** When the time to live of a message is over; Infinity: never. */
export function expiresAt(queue: Queue, note: Note): Millis {
  const ttlMs = note.ttlMs === 0 ? queue.config.ttlMs : note.ttlMs
  return ttlMs === 0 ? Infinity : note.since + ttlMs
}
