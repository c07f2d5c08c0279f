/**
 * Reads: a queue, the queues, the messages of one. Requests come from other nodes and are not trusted. The messages are told
 * without their bodies, which are attached as the answer leaves (`attach.ts`).
 */
import type { Plain } from '../actors/envelope.ts'
import type { Millis } from '../base/ids.ts'
import { invalid } from '../base/refusal.ts'
import { browse } from './browse.ts'
import { noSuchQueue } from './dequeue.ts'
import { parseMessageId } from './ids.ts'
import type { Queue } from './queue.ts'
import { refused } from './replies.ts'
import type { QueueTable } from './table.ts'
import { type MessageState, QUEUE_LIMITS, type QueueStatus } from './types.ts'

const STATES: readonly MessageState[] = ['ready', 'leased', 'delayed', 'dead']

export function answer(table: QueueTable, request: Plain, time: Millis): Plain {
  if (typeof request !== 'object' || request === null) return refused(invalid('', 'not a question to the queues'))
  const { type, namespace, queue, cursor, limit, state } = request as { readonly [key: string]: unknown }
  if (typeof namespace !== 'string') return refused(invalid('namespace', 'a string'))
  const max = typeof limit === 'number' && limit >= 1 ? Math.floor(Math.min(limit, QUEUE_LIMITS.browseMax)) : QUEUE_LIMITS.browseMax
  if (type === 'queue_list') {
    return typeof cursor === 'string' ? list(table, namespace, cursor, max, time) : refused(invalid('cursor', 'a string'))
  }
  if (type !== 'queue_status' && type !== 'queue_browse') return refused(invalid('type', 'not a question to the queues'))
  if (typeof queue !== 'string') return refused(invalid('queue', 'a string'))
  const found = table.find({ namespace, queue })
  if (found === null) return refused(noSuchQueue({ namespace, queue }))
  if (type === 'queue_status') return statusOf(found, time) as unknown as Plain
  if (!STATES.includes(state as MessageState)) return refused(invalid('state', `one of ${STATES.join(', ')}`))
  const after = cursor === '' ? 0 : typeof cursor === 'string' ? (parseMessageId(cursor)?.seq ?? -1) : -1
  if (after < 0) return refused(invalid('cursor', 'not a cursor of this list'))
  return browse(found, state as MessageState, after, max, time) as unknown as Plain
}

export function statusOf(queue: Queue, time: Millis): QueueStatus {
  const { ready, leased, delayed, config } = queue
  const dead = queue.dead.size
  const oldestReadyAgeMs = Math.max(0, time - oldestReady(queue, time))
  return { queue: queue.name.queue, ready, leased, delayed, dead, total: queue.length + dead, oldestReadyAgeMs, config }
}

function oldestReady(queue: Queue, time: Millis): Millis {
  const { ages, ownAges } = queue
  return Math.min(time, ages.first()?.since ?? time, ownAges.first()?.since ?? time, queue.oldestPlain())
}

function list(table: QueueTable, namespace: string, cursor: string, max: number, time: Millis): Plain {
  const found = [...table.byNumber.values()].filter(({ name }) => name.namespace === namespace && name.queue > cursor)
  found.sort((a, b) => (a.name.queue < b.name.queue ? -1 : 1))
  const queues = found.slice(0, max).map((queue) => statusOf(queue, time))
  return { queues, cursor: found.length > max ? (queues.at(-1)?.queue ?? null) : null } as unknown as Plain
}
