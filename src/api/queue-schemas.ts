/** The shapes of the calls of queues: they validate, and OpenAPI is generated from them. Limits: `QUEUE_LIMITS`. */
import { z } from 'zod'
import { QUEUE_LIMITS } from '../queue/types.ts'
import { txPutBody } from './cache-schemas.ts'
import { STORE_NAME, scalarRecord, storeName, text } from './schemas.ts'

const L = QUEUE_LIMITS
const MESSAGE_ID_LENGTH_MAX = 64
const FACTOR_MAX = 1_000
const TX_OPS_MAX = L.itemsMax

export const queueName = storeName
export const isQueueName = (value: unknown): value is string => typeof value === 'string' && STORE_NAME.test(value)
const id = z.string().min(1).max(MESSAGE_ID_LENGTH_MAX)
const token = z.int().min(1)
const millis = (max: number) => z.int().min(0).max(max)
const visibilityMs = z.int().min(L.visibilityMsMin).max(L.visibilityMsMax)
const priority = z.int().min(0).max(L.priorityMax)

export const queueBody = z.strictObject({
  visibilityMs: visibilityMs.optional(),
  maxDeliveries: z.int().min(1).max(L.deliveriesMax).optional(),
  backoff: z
    .strictObject({
      baseMs: millis(L.delayMsMax).optional(),
      factor: z.number().min(1).max(FACTOR_MAX).optional(),
      maxMs: millis(L.delayMsMax).optional(),
      jitter: z.number().min(0).max(1).optional(),
    })
    .optional(),
  deadLetter: z.string().max(256).optional().describe('always `<queue>!dlq`'),
  dedupWindowMs: millis(L.dedupWindowMsMax).optional(),
  maxLength: z.int().min(1).max(L.lengthMax).optional(),
  overflow: z.enum(['reject', 'drop-head']).optional(),
  ttlMs: millis(L.ttlMsMax).optional(),
  poison: z.enum(['dlq', 'block']).optional(),
  durability: z.literal('quorum').optional(),
  ordering: z.enum(['fifo', 'none']).optional(),
})

const messageShape = {
  data: z.unknown().describe('any JSON value; with `encoding` base64 the text of the bytes. At most 256 KiB.'),
  encoding: z.enum(['json', 'base64']).optional(),
  group: text(L.groupLengthMax).min(1).optional(),
  dedupId: text(L.dedupIdLengthMax).min(1).optional(),
  delayMs: millis(L.delayMsMax).optional(),
  priority: priority.optional(),
  ttlMs: millis(L.ttlMsMax).optional(),
  headers: scalarRecord(L.headersBytesMax).optional(),
}
export const messageBody = z.strictObject(messageShape)
const messages = z.array(messageBody).min(1).max(L.batchMax)
export const batchBody = z.strictObject({ messages })
/** For OpenAPI: which of the two is meant shows in `messages`, so that each has errors of its own. */
export const enqueueBody = z.union([messageBody, batchBody])

export const dequeueBody = z.strictObject({
  max: z.int().min(1).max(L.dequeueMax).optional(),
  waitMs: millis(L.waitMsMax).optional(),
  visibilityMs: visibilityMs.optional(),
  consumer: text(L.consumerLengthMax).optional(),
})

const settling = z.strictObject({ id, token })
const fence = z.strictObject({ resource: text(256).min(1), token })
const settlings = z.array(settling).min(1).max(L.itemsMax)
export const ackBody = z.strictObject({ items: settlings, fence: fence.optional() })
export const nackBody = z.strictObject({
  items: z
    .array(
      z.strictObject({
        id,
        token,
        delayMs: millis(L.delayMsMax).optional(),
        reason: text(L.reasonLengthMax).optional(),
        countAttempt: z.boolean().optional(),
      }),
    )
    .min(1)
    .max(L.itemsMax),
})
export const extendBody = z.strictObject({
  items: z
    .array(
      z.strictObject({
        id,
        token,
        visibilityMs,
        checkpoint: z.unknown().optional().describe(`any JSON value, at most ${L.checkpointBytesMax} bytes`),
      }),
    )
    .min(1)
    .max(L.itemsMax),
})
export const redriveBody = z.strictObject({
  max: z.int().min(1).max(L.redriveMax).optional(),
  reason: text(L.reasonLengthMax).min(1).optional(),
})

const cursor = z.string().max(512).optional()
export const queuesQuery = z.strictObject({ cursor, limit: z.coerce.number().int().min(1).max(L.browseMax).optional() })
export const browseQuery = z.strictObject({
  state: z.enum(['ready', 'leased', 'delayed', 'dead']).optional(),
  cursor,
  limit: z.coerce.number().int().min(1).max(L.browseMax).optional(),
})
export const confirmQuery = z.strictObject({ confirm: z.string().max(L.nameLengthMax) })

const txEnqueue = z.union([z.strictObject({ queue: queueName, ...messageShape }), z.strictObject({ queue: queueName, messages })])
const txAck = z.strictObject({ queue: queueName, items: settlings, fence: fence.optional() })
/** For OpenAPI. What is checked is each operation by itself, see `opBodies`. */
export const txBody = z.strictObject({
  ops: z
    .array(
      z.union([
        z.strictObject({ enqueue: txEnqueue }),
        z.strictObject({ ack: txAck }),
        z.strictObject({ cachePut: txPutBody }),
        z.strictObject({ requireFence: fence }),
      ]),
    )
    .min(1)
    .max(TX_OPS_MAX),
})
export const opBodies = {
  tx: z.strictObject({ ops: z.array(z.record(z.string(), z.unknown())).min(1).max(TX_OPS_MAX) }),
  enqueueOne: z.strictObject({ queue: queueName, ...messageShape }),
  enqueueMany: z.strictObject({ queue: queueName, messages }),
  ack: txAck,
  cachePut: txPutBody,
  requireFence: fence,
}

export const subscribeBody = z.strictObject({
  credit: z.int().min(1).max(10_000),
  visibilityMs: visibilityMs.optional(),
  consumer: text(L.consumerLengthMax).optional(),
})
const sub = z.string().min(1).max(32)
export const unsubscribeBody = z.strictObject({ sub })
export const creditBody = z.strictObject({ sub, credit: z.int().min(1).max(10_000) })

export type QueueBody = z.infer<typeof queueBody>
export type MessageInput = z.infer<typeof messageBody>
export type DequeueBody = z.infer<typeof dequeueBody>
export type AckBody = z.infer<typeof ackBody>
export type NackBody = z.infer<typeof nackBody>
export type ExtendBody = z.infer<typeof extendBody>
export type SubscribeBody = z.infer<typeof subscribeBody>
