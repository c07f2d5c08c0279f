/** Messages go out: at once, or to those who wait, as soon as something becomes visible. */
import type { Plain } from '../actors/envelope.ts'
import type { Millis } from '../base/ids.ts'
import { type Refused, refuse } from '../base/refusal.ts'
import type { ApplyContext } from '../raft/machine.ts'
import { bytesOf } from './note.ts'
import type { Queue } from './queue.ts'
import { addDelivery, delivered, moved } from './replies.ts'
import type { QueueTable } from './table.ts'
import { type AbandonCommand, type DequeueCommand, QUEUE_LIMITS, type QueueName } from './types.ts'
import { type Demand, Waiter } from './waiter.ts'

/** The deliveries, a refusal, or null: it waits. */
export function dequeue(table: QueueTable, ctx: ApplyContext, ticket: number, command: DequeueCommand): Plain[] | Refused | null {
  const queue = table.find(command)
  if (queue === null) return noSuchQueue(command)
  const { max, visibilityMs, consumer, watcher, waitMs, gateway = '' } = command
  const demand = { max, visibilityMs, consumer, watcher, gateway }
  if (queue.schedule.heads.size > 0 || waitMs === 0) return deliver(queue, demand, ctx.time)
  if (queue.waiters.size >= QUEUE_LIMITS.waitersPerQueueMax) {
    return refuse('OVERLOADED', `too many requests wait for ${command.queue}`, { queue: command.queue })
  }
  table.wait(new Waiter(queue, ticket, demand, ctx.time + waitMs))
  return null
}

/** Serves those who wait, first come, first served. */
export function pump(table: QueueTable, ctx: ApplyContext): void {
  const { touched } = table
  if (touched.length === 0) return
  table.touched = []
  if (touched.length > 1) touched.sort((a, b) => a.number - b.number)
  for (const queue of touched) {
    for (const waiter of queue.waiters.values()) {
      if (queue.schedule.heads.size === 0) break
      table.unwait(waiter)
      ctx.settle(waiter.ticket, deliver(queue, waiter.demand, ctx.time))
    }
    // Only now: what serving leaves over is no news.
    queue.isTouched = false
  }
}

/** Ends a wait with nothing. */
export function giveUp(table: QueueTable, ctx: ApplyContext, waiter: Waiter): void {
  table.unwait(waiter)
  ctx.settle(waiter.ticket, delivered(waiter.queue.number))
}

/** Ends the waits at a gateway, the oldest first; says how many there were. As many as are stated: then there may be more. */
export function abandon(table: QueueTable, ctx: ApplyContext, { gateway }: AbandonCommand): Plain {
  let count = 0
  for (const waiter of table.waiters.values()) {
    if (count === QUEUE_LIMITS.abandonedPerEntryMax) break
    if (waiter.demand.gateway !== gateway) continue
    giveUp(table, ctx, waiter)
    count += 1
  }
  return moved(count)
}

export function noSuchQueue({ queue }: QueueName): Refused {
  return refuse('NO_SUCH_QUEUE', `there is no queue ${queue}`, { queue })
}

function deliver(queue: Queue, demand: Demand, now: Millis): Plain[] {
  const reply = delivered(queue.number)
  let bytes = 0
  for (let count = 0; count < demand.max && bytes <= QUEUE_LIMITS.dequeueBytesMax; count++) {
    const lane = queue.schedule.pick(now)
    if (lane === null) break
    const note = queue.lease(lane, demand, now)
    const { seq, token, failures, visibilityMs, checkpoint, traits } = note
    addDelivery(reply, { seq, token, attempt: failures + 1, group: lane.group, visibilityMs, checkpoint })
    // The answer has to fit a frame, whatever is in it.
    bytes += bytesOf(traits) + (checkpoint === null ? 0 : QUEUE_LIMITS.checkpointBytesMax)
    queue.tally.delivered += 1
    if (failures > 0) queue.tally.redelivered += 1
  }
  return reply
}
