/** The shapes of the answers about queues, as `answer-schemas.ts` has those about the rest. */
import { z } from 'zod'

const count = z.int().min(0)
const millis = z.int().min(0)
const id = z.string()
const token = z.int().min(1).describe('of this delivery: higher than any that was given in this queue before')
const cursor = z.string().nullable().describe('for the next page; null: this was the last')
const group = z.string().nullable()
const encoding = z.enum(['json', 'base64'])
const headers = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))
const enqueuedAt = z.iso.datetime().describe('by the wall clock of the gateway that took it')
const receipt = z
  .strictObject({ partition: count, term: count, index: count, durableOn: z.array(z.string()).min(1) })
  .describe('where it is in the log, and which nodes had it on disk when it was answered')

const config = z.strictObject({
  visibilityMs: millis,
  maxDeliveries: z.int().min(1),
  backoff: z.strictObject({ baseMs: millis, factor: z.number().min(1), maxMs: millis, jitter: z.number().min(0).max(1) }),
  deadLetter: z.string(),
  dedupWindowMs: millis,
  maxLength: z.int().min(1),
  overflow: z.enum(['reject', 'drop-head']),
  ttlMs: millis,
  poison: z.enum(['dlq', 'block']),
  durability: z.literal('quorum'),
  ordering: z.enum(['fifo', 'none']),
})
export const putAnswer = z.strictObject({ queue: z.string(), created: z.boolean(), config })

const enqueued = z.strictObject({ id, deduplicated: z.boolean().describe('true: `id` is that of the first with this dedupId') })
export const enqueueAnswer = z.union([
  z.strictObject({ ...enqueued.shape, receipt }),
  z.strictObject({ results: z.array(enqueued), receipt }).describe('of a batch'),
])
export const dequeueAnswer = z.strictObject({
  messages: z.array(
    z.strictObject({
      id,
      token,
      attempt: z.int().min(1),
      group,
      data: z.unknown(),
      encoding,
      headers,
      enqueuedAt,
      checkpoint: z.unknown().describe('of the delivery before; null: none'),
      traceparent: z.string().nullable(),
    }),
  ),
})
export const settleAnswer = z.strictObject({
  results: z.array(z.union([z.strictObject({ id, ok: z.literal(true) }), z.strictObject({ id, ok: z.literal(false), code: z.string() })])),
})

const statusShape = {
  queue: z.string(),
  ready: count,
  leased: count,
  delayed: count,
  dead: count,
  total: count,
  oldestReadyAgeMs: millis,
  partition: count,
  config,
}
export const queueAnswer = z.strictObject({ ...statusShape, leader: z.string().nullable().describe('null: just now nobody leads it') })
export const queuesAnswer = z.strictObject({ queues: z.array(z.strictObject(statusShape)), cursor })
export const messagesAnswer = z.strictObject({
  messages: z.array(
    z.strictObject({
      id,
      state: z.enum(['ready', 'leased', 'delayed', 'dead']),
      attempt: count.describe('deliveries so far'),
      group,
      priority: count,
      remainingMs: millis.nullable().describe('of the lease, or until it is ready; else null'),
      consumer: z.string(),
      reason: z.string().describe('why it was given back last, or died'),
      data: z.unknown(),
      encoding,
      headers,
      enqueuedAt,
    }),
  ),
  cursor,
})
export const movedAnswer = z.strictObject({ moved: count })
export const purgedAnswer = z.strictObject({ purged: count })
export const deletedAnswer = z.strictObject({ deleted: z.literal(true) })
export const txAnswer = z.strictObject({
  results: z
    .array(
      z.union([
        z.strictObject({ enqueued: z.array(enqueued) }),
        z.strictObject({ acknowledged: count }),
        z.strictObject({ fenced: z.literal(true) }),
        z.strictObject({ put: z.strictObject({ key: z.string(), version: count, created: z.boolean() }) }),
      ]),
    )
    .describe('one per operation, in order'),
  receipt,
})
