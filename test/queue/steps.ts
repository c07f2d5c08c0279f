/** What may happen to the queues of a partition, for fast-check: small numbers, so that things meet. */
import * as fc from 'fast-check'
import type { NewMessage } from '../../src/queue/types.ts'

export const NAMES = [
  { namespace: 'default', queue: 'a' },
  { namespace: 'default', queue: 'b' },
  { namespace: 'default', queue: 'c' },
  { namespace: 'other', queue: 'a' },
] as const

const name = fc.constantFrom(NAMES[0], NAMES[0], NAMES[0], NAMES[0], NAMES[1], NAMES[1], NAMES[2], NAMES[3])
const rarely = <T>(often: T, ...seldom: T[]) => fc.constantFrom(often, often, often, often, ...seldom)

/** Three are more than one answer holds. */
const LARGE = 260_000

const message = fc.record({
  // Small ones mostly; some that count with their size, few that fill an answer.
  bytes: fc.constantFrom(8, 8, 3_000, LARGE),
  fill: fc.nat(255),
  group: fc.constantFrom('', '', '', 'g', 'g', 'g', 'h', 'i'),
  dedupId: rarely('', 'd1', 'd1', 'd2'),
  delayMs: rarely(0, 0, 100, 1_000),
  priority: fc.constantFrom(0, 0, 0, 1, 8, 9),
  ttlMs: rarely(0, 0, 0, 300, 2_000),
})
const messages = fc.oneof(
  { weight: 3, arbitrary: fc.array(message, { minLength: 1, maxLength: 1 }) },
  { weight: 1, arbitrary: fc.array(message, { minLength: 2, maxLength: 7 }) },
)
const fence = fc.option(fc.record({ resource: fc.constantFrom('r', 's'), token: fc.integer({ min: 1, max: 4 }) }), { freq: 5 })

/** One that is leased now, or one of the last deliveries, mostly with its true token and queue. */
const delivery = fc.record({
  isLive: rarely(true, true, false),
  back: fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 12 })),
  off: rarely(0, 0, 0, 0, -1, 1),
  elsewhere: rarely(false, false, false, false, true),
})
const deliveries = fc.oneof(
  { weight: 3, arbitrary: fc.array(delivery, { minLength: 1, maxLength: 1 }) },
  { weight: 1, arbitrary: fc.array(delivery, { minLength: 2, maxLength: 4 }) },
)
export type DeliveryRef = typeof delivery extends fc.Arbitrary<infer T> ? T : never

const config = fc.record(
  {
    visibilityMs: fc.constantFrom(200, 1_000, 30_000),
    maxDeliveries: fc.constantFrom(1, 2, 3),
    backoff: fc.record(
      {
        baseMs: fc.constantFrom(0, 100),
        factor: fc.constantFrom(1, 2),
        maxMs: fc.constantFrom(150, 60_000),
        jitter: fc.constantFrom(0, 0.2, 1),
      },
      { requiredKeys: [] },
    ),
    deadLetter: fc.constantFrom('a!dlq', 'b!dlq'),
    dedupWindowMs: fc.constantFrom(0, 500, 60_000),
    maxLength: fc.constantFrom(1, 3, 6, 100),
    overflow: fc.constantFrom('reject' as const, 'drop-head' as const),
    ttlMs: fc.constantFrom(0, 0, 1_000, 40_000),
    poison: fc.constantFrom('dlq' as const, 'block' as const),
    ordering: fc.constantFrom('fifo' as const, 'none' as const),
  },
  { requiredKeys: [] },
)

const op = fc.oneof(
  fc.record({ type: fc.constant('enqueue' as const), name, messages }),
  fc.record({ type: fc.constant('ack' as const), name, deliveries, fence }),
  fc.record({
    type: fc.constant('fence' as const),
    fence: fc.record({ resource: fc.constantFrom('r', 's'), token: fc.integer({ min: 1, max: 4 }) }),
  }),
)

const of = <T extends string>(type: T) => fc.constant(type)

export const step = fc.oneof(
  { weight: 16, arbitrary: fc.record({ type: of('enqueue'), name, messages }) },
  {
    weight: 20,
    arbitrary: fc.record({
      type: of('dequeue'),
      name,
      max: fc.constantFrom(1, 1, 1, 2, 5, 20),
      waitMs: fc.constantFrom(0, 0, 300, 5_000, 25_000),
      visibilityMs: fc.constantFrom(null, null, 100, 500, 40_000),
      consumer: fc.constantFrom('', 'w-1'),
      watcher: fc.constantFrom('', 'n1:gw/7'),
    }),
  },
  { weight: 7, arbitrary: fc.record({ type: of('ack'), deliveries, fence }) },
  {
    weight: 9,
    arbitrary: fc.record({
      type: of('nack'),
      deliveries,
      delayMs: fc.constantFrom(null, null, 0, 250),
      reason: fc.constantFrom('', '503', 'bad'),
      countAttempt: rarely(true, false),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: of('extend'),
      deliveries,
      visibilityMs: fc.constantFrom(50, 2_000),
      checkpoint: fc.constantFrom(null, '{"page":3}'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: of('put'), name, config }) },
  {
    weight: 3,
    arbitrary: fc.record({ type: of('redrive'), name, max: fc.constantFrom(1, 100), reason: fc.constantFrom('', '', '503', 'expired') }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('purge' as const, 'purge' as const, 'delete' as const), name }) },
  { weight: 4, arbitrary: fc.record({ type: of('tx'), ops: fc.array(op, { minLength: 1, maxLength: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ type: of('cancel'), back: fc.nat({ max: 8 }) }) },
  {
    weight: 14,
    arbitrary: fc.record({
      type: of('pass'),
      ms: fc.constantFrom(1, 1, 50, 100, 100, 200, 250, 500, 500, 1_000, 5_000, 30_000, 45_000, 61_000).map(Number),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: of('copy'), seed: fc.nat(), instead: fc.boolean() }) },
)
/** Bodies are made late, for lists of steps are printed; few of them large, for all together have to fit an entry. */
export function newMessages(messages: readonly Message[], largeMax: number): NewMessage[] {
  return messages.map(({ bytes, fill, ...rest }, at) => ({
    ...rest,
    body: new Uint8Array(at >= largeMax && bytes === LARGE ? 8 : bytes).fill(fill),
  }))
}
type Message = typeof message extends fc.Arbitrary<infer T> ? T : never
export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never
export type Op = typeof op extends fc.Arbitrary<infer T> ? T : never
