/** Commands of every kind and shape within the limits, for fast-check. */
import * as fc from 'fast-check'
import type { NewMessage, LoggedCommand } from '../../src/queue/types.ts'
import { QUEUE_LIMITS } from '../../src/queue/types.ts'

const shortText = (lengthMin: number, lengthMax: number) => fc.string({ unit: 'grapheme', minLength: lengthMin, maxLength: lengthMax })
const token = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER - 1 }))
const name = { namespace: shortText(1, 12), queue: shortText(1, 12) }
const settling = { id: fc.tuple(fc.nat(), fc.nat()).map(([queue, seq]) => `m_${queue.toString(36)}_${seq.toString(36)}`), token }
const fence = fc.record({ resource: shortText(1, 20), token })
const list = <T>(each: fc.Arbitrary<T>) => fc.array(each, { minLength: 1, maxLength: 5 })

const message: fc.Arbitrary<NewMessage> = fc.record({
  body: fc.uint8Array({ maxLength: 40 }),
  group: shortText(0, 8),
  dedupId: shortText(0, 8),
  delayMs: fc.oneof(fc.constant(0), fc.nat(QUEUE_LIMITS.delayMsMax)),
  priority: fc.nat(QUEUE_LIMITS.priorityMax),
  ttlMs: fc.oneof(fc.constant(0), fc.nat(QUEUE_LIMITS.ttlMsMax)),
})
const config = fc.record(
  {
    visibilityMs: fc.integer({ min: 1, max: QUEUE_LIMITS.visibilityMsMax }),
    maxDeliveries: fc.integer({ min: 1, max: QUEUE_LIMITS.deliveriesMax }),
    backoff: fc.record(
      {
        baseMs: fc.nat(100_000),
        factor: fc.double({ min: 1, max: 9, noNaN: true }),
        maxMs: fc.nat(),
        jitter: fc.double({ min: 0, max: 1, noNaN: true }),
      },
      { requiredKeys: [] },
    ),
    deadLetter: shortText(1, 20),
    dedupWindowMs: fc.nat(QUEUE_LIMITS.dedupWindowMsMax),
    maxLength: fc.integer({ min: 1, max: QUEUE_LIMITS.lengthMax }),
    overflow: fc.constantFrom('reject' as const, 'drop-head' as const),
    ttlMs: fc.nat(QUEUE_LIMITS.ttlMsMax),
    poison: fc.constantFrom('dlq' as const, 'block' as const),
    durability: fc.constant('quorum' as const),
    ordering: fc.constantFrom('fifo' as const, 'none' as const),
  },
  { requiredKeys: [] },
)
const enqueue = fc.record({ type: fc.constant('queue_enqueue' as const), ...name, messages: list(message) })
const ack = fc.record({
  type: fc.constant('queue_ack' as const),
  ...name,
  items: list(fc.record(settling)),
  fence: fc.option(fence),
})

export const anyCommand: fc.Arbitrary<LoggedCommand> = fc.oneof(
  fc.record({ type: fc.constant('queue_put' as const), ...name, config }),
  enqueue,
  fc.record({
    type: fc.constant('queue_dequeue' as const),
    ...name,
    max: fc.integer({ min: 1, max: QUEUE_LIMITS.dequeueMax }),
    waitMs: fc.nat(QUEUE_LIMITS.waitMsMax),
    visibilityMs: fc.option(fc.integer({ min: 1, max: QUEUE_LIMITS.visibilityMsMax })),
    consumer: shortText(0, 12),
    watcher: shortText(0, 12),
  }),
  fc.record({
    type: fc.constant('queue_dequeue' as const),
    ...name,
    max: fc.constant(1),
    waitMs: fc.constant(1),
    visibilityMs: fc.constant(null),
    consumer: fc.constant(''),
    watcher: fc.constant(''),
    gateway: shortText(1, 12),
  }),
  fc.record({ type: fc.constant('queue_abandon' as const), gateway: shortText(1, 12) }),
  ack,
  fc.record({
    type: fc.constant('queue_nack' as const),
    ...name,
    items: list(
      fc.record({ ...settling, delayMs: fc.option(fc.nat(QUEUE_LIMITS.delayMsMax)), reason: shortText(0, 9), countAttempt: fc.boolean() }),
    ),
  }),
  fc.record({
    type: fc.constant('queue_extend' as const),
    ...name,
    items: list(
      fc.record({ ...settling, visibilityMs: fc.integer({ min: 1, max: QUEUE_LIMITS.visibilityMsMax }), checkpoint: fc.option(fc.json()) }),
    ),
  }),
  fc.record({
    type: fc.constant('queue_redrive' as const),
    ...name,
    max: fc.integer({ min: 1, max: QUEUE_LIMITS.redriveMax }),
    reason: shortText(0, 9),
  }),
  fc.record({ type: fc.constantFrom('queue_purge' as const, 'queue_delete' as const), ...name }),
  fc.record({
    type: fc.constant('tx' as const),
    ops: list(fc.oneof(enqueue, ack, fc.record({ type: fc.constant('require_fence' as const), fence }))),
  }),
)
