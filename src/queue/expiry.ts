/**
 * What time ends, decided by the cluster time T alone: everything whose deadline is not after T, in the order of (deadline,
 * queue, message), at most `expiriesPerEntryMax` per entry. What is due beyond that lives until the next one. Who waits is
 * served with what became visible before their own time is up.
 */
import type { Plain } from '../actors/envelope.ts'
import type { Millis } from '../base/ids.ts'
import type { ApplyContext } from '../raft/machine.ts'
import { comeBack, expiresAt } from './come-back.ts'
import { giveUp, pump } from './dequeue.ts'
import { messageId } from './ids.ts'
import { LEASED, type Note, READY } from './note.ts'
import type { Queue } from './queue.ts'
import type { QueueTable } from './table.ts'
import { QUEUE_LIMITS } from './types.ts'

/** Why a message came back, or died, when its lease ran out. */
const EXPIRED = 'expired'

/** Returns whether nothing that is due was left for the next entry. */
export function expire(table: QueueTable, ctx: ApplyContext): boolean {
  let left: number = QUEUE_LIMITS.expiriesPerEntryMax
  for (; left > 0; left--) {
    const queue = table.firstDue()
    if (queue === null || queue.deadline > ctx.time) break
    expireFirst(queue, ctx)
  }
  pump(table, ctx)
  for (; left > 0; left--) {
    const waiter = table.patience.first()
    if (waiter === null || waiter.deadline > ctx.time) break
    giveUp(table, ctx, waiter)
  }
  table.graves.dig(ctx.time)
  return left > 0
}

/** Ends what is due first in a queue. */
function expireFirst(queue: Queue, ctx: ApplyContext): void {
  const note = queue.timed.first()
  if (note !== null && note.deadline <= queue.deadline) expireNote(queue, note, ctx)
  else if (queue.outlivesAt() <= queue.deadline) outlive(queue, ctx.time)
  else queue.dedup.sweep()
}

function expireNote(queue: Queue, note: Note, ctx: ApplyContext): void {
  const now = ctx.time
  if (note.state === LEASED) {
    emitLost(queue, note, ctx)
    queue.tally.expired += 1
    comeBack(queue, note, { reason: EXPIRED, delayMs: null, counts: true }, now)
  } else if (expiresAt(queue, note) <= now) {
    queue.tally.outlived += 1
    queue.remove(note, now)
  } else queue.move(note, READY, now)
}

/** The oldest message without a time to live of its own has lived as long as the queue says. */
function outlive(queue: Queue, now: Millis): void {
  queue.tally.outlived += 1
  const ready = queue.ages.first()
  const held = queue.heldAges.first()
  const note = held !== null && (ready === null || held.since < ready.since) ? held : ready
  if (note !== null && note.since <= queue.oldestPlain()) queue.remove(note, now)
  else queue.dropPlain(queue.schedule.oldest.first() as NonNullable<ReturnType<typeof queue.schedule.oldest.first>>, now)
}

/** Whoever watches a lease hears that it is over though nobody settled it. */
export function emitLost(queue: Queue, note: Note, ctx: ApplyContext): void {
  if (note.watcher === '') return
  const { watcher, seq, token } = note
  const event: Plain = { type: 'lease_lost', watcher, queue: queue.name.queue, id: messageId(queue.number, seq), token }
  ctx.emit(event)
}
