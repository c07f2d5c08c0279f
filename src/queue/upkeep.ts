/** What is done to a queue as a whole: configured, emptied, its dead brought back, taken away. */
import type { Plain } from '../actors/envelope.ts'
import { type Refused, refuse } from '../base/refusal.ts'
import type { ApplyContext } from '../raft/machine.ts'
import { noSuchQueue } from './dequeue.ts'
import { deadLetterOf, defaultConfig } from './enqueue.ts'
import { emitLost } from './expiry.ts'
import type { Note } from './note.ts'
import type { Queue } from './queue.ts'
import { deleted, moved, purged, put, refused } from './replies.ts'
import type { QueueTable } from './table.ts'
import {
  type DeleteQueueCommand,
  type PurgeCommand,
  type PutQueueCommand,
  QUEUE_LIMITS,
  type QueueConfig,
  type RedriveCommand,
} from './types.ts'

/** Of one purge so many lost leases are told: to tell is best effort, and an entry takes one turn. */
const LOST_MAX = 1_000

export function putQueue(table: QueueTable, command: PutQueueCommand): Plain | Refused {
  const { queue: name, config } = command
  const deadLetter = deadLetterOf(name)
  if (config.deadLetter !== undefined && config.deadLetter !== deadLetter) {
    return refuse('CONFIG_CONFLICT', `dead letters of ${name} are kept as ${deadLetter}`, { queue: name, deadLetter })
  }
  const queue = table.find(command)
  if (queue === null && table.byNumber.size >= QUEUE_LIMITS.queuesMax) return refuse('QUOTA', 'too many queues')
  const merged = merge(queue?.config ?? defaultConfig(name), config)
  if (queue === null) return put(true, table.create(command, merged).config)
  queue.config = merged
  queue.touch()
  queue.hasten(queue.due())
  return put(false, merged)
}

function merge(config: QueueConfig, change: PutQueueCommand['config']): QueueConfig {
  return { ...config, ...change, backoff: { ...config.backoff, ...change.backoff } }
}

/** Dead messages become ready at their old places, as if never delivered, and live anew. */
export function redrive(table: QueueTable, ctx: ApplyContext, command: RedriveCommand): Plain | Refused {
  const queue = table.find(command)
  if (queue === null) return noSuchQueue(command)
  let count = 0
  for (; count < command.max; count++) {
    const note = queue.dead.first(command.reason)
    if (note === null) break
    queue.revive(note, ctx.time)
  }
  queue.tally.redriven += count
  return moved(count)
}

export function purge(table: QueueTable, ctx: ApplyContext, command: PurgeCommand): Plain | Refused {
  const queue = table.find(command)
  return queue === null ? noSuchQueue(command) : purged(empty(table, ctx, queue))
}

export function deleteQueue(table: QueueTable, ctx: ApplyContext, command: DeleteQueueCommand): Plain | Refused {
  const queue = table.find(command)
  if (queue === null) return noSuchQueue(command)
  empty(table, ctx, queue)
  for (const waiter of queue.waiters.values()) {
    table.unwait(waiter)
    ctx.settle(waiter.ticket, refused(noSuchQueue(command)))
  }
  table.drop(queue)
  return deleted()
}

/** Those who watch their leases hear of the purge, as far as it is told. */
function tellLost(queue: Queue, ctx: ApplyContext): void {
  const lost: Note[] = []
  for (const note of queue.watched) if (lost.push(note) === LOST_MAX) break
  for (const note of lost.sort((a, b) => a.seq - b.seq)) emitLost(queue, note, ctx)
}

/** All messages go, the leased ones too. */
function empty(table: QueueTable, ctx: ApplyContext, queue: Queue): number {
  const count = queue.length + queue.dead.size
  tellLost(queue, ctx)
  table.graves.bury(queue, queue.clear(), ctx.time)
  queue.tally.purged += count
  return count
}
