/**
 * What becomes of a delivery: acknowledged, given back, or kept for longer. Item by item; only the token of the lease that
 * lives will do.
 *
 *   leased under this token            ok
 *   gone, acknowledged with it         ok for an ack, once more
 *   gone                               NO_SUCH_MESSAGE
 *   its last token, and leased no more LEASE_EXPIRED
 *   any other token                    STALE_TOKEN
 */
import type { Plain } from '../actors/envelope.ts'
import type { ErrorCode } from '../base/errors.ts'
import type { Millis } from '../base/ids.ts'
import type { Refused } from '../base/refusal.ts'
import type { ApplyContext } from '../raft/machine.ts'
import { noSuchQueue } from './dequeue.ts'
import { comeBack } from './come-back.ts'
import { parseMessageId } from './ids.ts'
import { LEASED, type Note } from './note.ts'
import type { Queue } from './queue.ts'
import { settled } from './replies.ts'
import type { QueueTable } from './table.ts'
import type { AckCommand, ExtendCommand, ItemOutcome, NackCommand, Settling } from './types.ts'

export function ack(table: QueueTable, ctx: ApplyContext, command: AckCommand): Plain | Refused {
  const queue = table.find(command)
  if (queue === null) return noSuchQueue(command)
  if (command.fence !== null) {
    const refusal = table.fences.refuses(command.fence)
    if (refusal !== null) return refusal
    table.fences.raise(command.fence)
  }
  return settled(command.items.map((item) => ackOne(queue, item, ctx.time)))
}

export function ackOne(queue: Queue, item: Settling, now: Millis): ItemOutcome {
  const note = findLeased(queue, item)
  if (typeof note !== 'string') {
    queue.settled.add(note.seq, note.token)
    queue.touch()
    queue.remove(note, now)
    queue.tally.acked += 1
    return ''
  }
  return note === 'NO_SUCH_MESSAGE' && wasAcked(queue, item) ? '' : note
}

export function nack(table: QueueTable, ctx: ApplyContext, command: NackCommand): Plain | Refused {
  const queue = table.find(command)
  if (queue === null) return noSuchQueue(command)
  return settled(command.items.map((item) => nackOne(queue, item, ctx.time)))
}

function nackOne(queue: Queue, item: NackCommand['items'][number], now: Millis): ItemOutcome {
  const note = findLeased(queue, item)
  if (typeof note === 'string') return note
  queue.tally.nacked += 1
  comeBack(queue, note, { reason: item.reason, delayMs: item.delayMs, counts: item.countAttempt }, now)
  return ''
}

export function extend(table: QueueTable, ctx: ApplyContext, command: ExtendCommand): Plain | Refused {
  const queue = table.find(command)
  if (queue === null) return noSuchQueue(command)
  return settled(command.items.map((item) => extendOne(queue, item, ctx.time)))
}

function extendOne(queue: Queue, item: ExtendCommand['items'][number], now: Millis): ItemOutcome {
  const note = findLeased(queue, item)
  if (typeof note === 'string') return note
  if (item.checkpoint !== null) note.checkpoint = item.checkpoint
  queue.extend(note, now + item.visibilityMs)
  return ''
}

/** The message that is leased under this token, or what is wrong. */
export function findLeased(queue: Queue, { id, token }: Settling): Note | ErrorCode {
  const parsed = parseMessageId(id)
  if (parsed === null || parsed.queue !== queue.number) return 'NO_SUCH_MESSAGE'
  const note = queue.notes.get(parsed.seq)
  if (note === undefined) return queue.presence.has(parsed.seq) ? 'STALE_TOKEN' : 'NO_SUCH_MESSAGE'
  if (note.token !== token) return 'STALE_TOKEN'
  return note.state === LEASED ? note : 'LEASE_EXPIRED'
}

/** Whether a message that is gone was acknowledged with this token, as far as the queue remembers. */
export function wasAcked(queue: Queue, { id, token }: Settling): boolean {
  const parsed = parseMessageId(id)
  return parsed !== null && parsed.queue === queue.number && queue.settled.has(parsed.seq, token)
}
