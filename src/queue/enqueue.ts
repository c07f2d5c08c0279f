/** Messages come in: all of a command, or none. */
import type { Plain } from '../actors/envelope.ts'
import type { Millis } from '../base/ids.ts'
import type { Refused } from '../base/refusal.ts'
import type { ApplyContext } from '../raft/machine.ts'
import type { Lane } from './lane.ts'
import { DELAYED, Note, READY, traitsOf } from './note.ts'
import type { Queue } from './queue.ts'
import { addEnqueued, enqueued } from './replies.ts'
import { planEnqueue } from './room.ts'
import type { QueueTable } from './table.ts'
import { DEFAULT_CONFIG, type EnqueueCommand, type NewMessage, QUEUE_LIMITS, type QueueConfig } from './types.ts'

export function enqueue(table: QueueTable, ctx: ApplyContext, command: EnqueueCommand): Plain[] | Refused {
  const count = planEnqueue(table, table.find(command), command, ctx.time, null)
  if (typeof count !== 'number') return count
  const queue = queueFor(table, command)
  const reply = enqueued(ctx.index, ctx.term, queue.number)
  takeIn(queue, command, count, ctx.time, reply)
  return reply
}

/** The queue of that name, made with the defaults where there is none. */
export function queueFor(table: QueueTable, name: EnqueueCommand): Queue {
  return table.find(name) ?? table.create(name, defaultConfig(name.queue))
}

export function defaultConfig(queue: string): QueueConfig {
  return { ...DEFAULT_CONFIG, deadLetter: deadLetterOf(queue) }
}

export function deadLetterOf(queue: string): string {
  return `${queue}!dlq`
}

/** `count`: how many of them are new, for which there is room or something to drop. */
export function takeIn(queue: Queue, { messages }: EnqueueCommand, count: number, now: Millis, reply: Plain[]): void {
  makeRoom(queue, count, now)
  for (const message of messages) {
    const known = message.dedupId === '' ? 0 : queue.dedup.find(message.dedupId, now)
    if (known > 0) {
      queue.tally.deduplicated += 1
      addEnqueued(reply, known, true)
    } else addEnqueued(reply, takeInOne(queue, message, now), false)
  }
  queue.touch()
}

/**
 * Drops the oldest that could be delivered. Where much more has to go than comes in (the queue was made shorter), some of it
 * goes with every command, so that none takes long.
 */
function makeRoom(queue: Queue, count: number, now: Millis): void {
  const need = queue.length + count - queue.config.maxLength
  for (let left = Math.min(need, count + QUEUE_LIMITS.expiriesPerEntryMax); left > 0; left--) {
    const lane = queue.schedule.heads.first()
    if (lane === null) return
    dropHead(queue, lane, now)
    queue.tally.dropped += 1
  }
}

function dropHead(queue: Queue, lane: Lane, now: Millis): void {
  const note = lane.headNote()
  if (note === null) queue.dropPlain(lane, now)
  else queue.remove(note, now)
}

function takeInOne(queue: Queue, message: NewMessage, now: Millis): number {
  const { body, group, dedupId, delayMs, priority, ttlMs } = message
  const seq = ++queue.lastSeq
  const lane = queue.laneFor(group, priority)
  const traits = traitsOf(priority, body.length)
  queue.bodies.put(seq, now, group, priority, body)
  if (delayMs > 0) queue.add(new Note(lane, seq, traits, DELAYED, now + delayMs, ttlMs), now)
  else if (ttlMs > 0) queue.add(new Note(lane, seq, traits, READY, now, ttlMs), now)
  else queue.append(lane, seq, traits, now)
  const { dedupWindowMs } = queue.config
  if (dedupId !== '' && dedupWindowMs > 0) {
    queue.dedup.add(dedupId, seq, now + dedupWindowMs)
    queue.hasten(queue.dedup.deadline)
  }
  queue.tally.enqueued += 1
  return seq
}
