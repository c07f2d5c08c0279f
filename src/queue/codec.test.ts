import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { anyCommand } from '../../test/queue/arbitrary.ts'
import { decodeCommand, encodeCommand } from './codec.ts'
import { BODY_BYTES_MAX } from './message-body.ts'
import { QUEUE_LIMITS } from './types.ts'
import type {
  AckCommand,
  DequeueCommand,
  EnqueueCommand,
  ExtendCommand,
  NackCommand,
  NewMessage,
  PutQueueCommand,
  QueueCommand,
} from './types.ts'

const Q = { namespace: 'default', queue: 'orders' }
const message = (over: Partial<NewMessage> = {}): NewMessage => ({
  body: new Uint8Array([16, 49]),
  group: '',
  dedupId: '',
  delayMs: 0,
  priority: 0,
  ttlMs: 0,
  ...over,
})
const enqueue = (...messages: NewMessage[]): EnqueueCommand => ({ type: 'queue_enqueue', ...Q, messages })
const dequeue = (over: Partial<DequeueCommand>): DequeueCommand => ({
  type: 'queue_dequeue',
  ...Q,
  max: 1,
  waitMs: 0,
  visibilityMs: null,
  consumer: '',
  watcher: '',
  ...over,
})
const ack = (over: Partial<AckCommand> = {}): AckCommand => ({
  type: 'queue_ack',
  ...Q,
  items: [{ id: 'm_1_1', token: 1 }],
  fence: null,
  ...over,
})
const nack = (over: Partial<NackCommand['items'][number]>): NackCommand => ({
  type: 'queue_nack',
  ...Q,
  items: [{ id: 'm_1_1', token: 1, delayMs: null, reason: '', countAttempt: true, ...over }],
})
const extend = (over: Partial<ExtendCommand['items'][number]>): ExtendCommand => ({
  type: 'queue_extend',
  ...Q,
  items: [{ id: 'm_1_1', token: 1, visibilityMs: 1_000, checkpoint: null, ...over }],
})
const put = (config: object): PutQueueCommand => ({ type: 'queue_put', ...Q, config })
const times = <T>(count: number, each: T): T[] => Array.from({ length: count }, () => each)

test('commands survive the way through the log', () => {
  fc.assert(
    fc.property(anyCommand, (command) => {
      expect(decodeCommand(encodeCommand(command))).toEqual(command)
    }),
    { numRuns: 1_000 },
  )
})

test('a checkpoint that begins with U+FEFF is not JSON, and what is JSON keeps one inside', () => {
  expect(decodeCommand(encodeCommand(extend({ checkpoint: '\uFEFF{}' })))).toMatchObject({ type: 'refused' })
  expect(decodeCommand(encodeCommand(extend({ checkpoint: '"\uFEFF"' })))).toEqual(extend({ checkpoint: '"\uFEFF"' }))
})

test('a plain message costs seven bytes more than its body and its names', () => {
  const bytes = encodeCommand(enqueue(message({ body: new Uint8Array(100) })))
  expect(bytes.length).toBe(100 + 'default'.length + 'orders'.length + 7)
})

test('bodies are views of the bytes they came in', () => {
  const bytes = encodeCommand(enqueue(message(), message()))
  const command = decodeCommand(bytes) as EnqueueCommand
  for (const { body } of command.messages) expect(body.buffer).toBe(bytes.buffer)
})

test('the largest of everything is taken', () => {
  const body = new Uint8Array(QUEUE_LIMITS.batchBytesMax / 4)
  const largest: QueueCommand[] = [
    enqueue(message({ body: new Uint8Array(BODY_BYTES_MAX) })),
    enqueue(...times(4, message({ body }))),
    enqueue(...times(QUEUE_LIMITS.batchMax, message({ group: 'g'.repeat(QUEUE_LIMITS.groupLengthMax) }))),
    enqueue(message({ group: '𝄞'.repeat(QUEUE_LIMITS.groupLengthMax), delayMs: QUEUE_LIMITS.delayMsMax, priority: 9 })),
    ack({ items: times(QUEUE_LIMITS.itemsMax, { id: 'm_1_1', token: Number.MAX_SAFE_INTEGER - 1 }) }),
    { type: 'tx', ops: times(QUEUE_LIMITS.itemsMax, enqueue(message())) },
  ]
  for (const command of largest) expect(decodeCommand(encodeCommand(command)).type).toBe(command.type)
})

const L = QUEUE_LIMITS
test.each<[string, QueueCommand, string?]>([
  ['a namespace is empty', { ...enqueue(message()), namespace: '' }],
  ['a queue is empty', { ...enqueue(message()), queue: '' }],
  ['a queue is too long', { ...enqueue(message()), queue: 'q'.repeat(L.nameLengthMax + 1) }],
  ['a queue has too many pairs', { ...enqueue(message()), queue: '𝄞'.repeat(L.nameLengthMax + 1) }],
  ['no message', enqueue()],
  ['too many messages', enqueue(...times(L.batchMax + 1, message()))],
  ['a body too large', enqueue(message({ body: new Uint8Array(BODY_BYTES_MAX + 1) })), 'TOO_LARGE'],
  ['a batch too large', enqueue(...times(4, message({ body: new Uint8Array(L.batchBytesMax / 4 + 1) }))), 'TOO_LARGE'],
  ['a group too long', enqueue(message({ group: 'g'.repeat(L.groupLengthMax + 1) }))],
  ['a dedupId too long', enqueue(message({ dedupId: 'g'.repeat(L.dedupIdLengthMax + 1) }))],
  ['a delay too long', enqueue(message({ delayMs: L.delayMsMax + 1 }))],
  ['a delay below 0', enqueue(message({ delayMs: -1 }))],
  ['a delay that is no integer', enqueue(message({ delayMs: 1.5 }))],
  ['a delay that is no number', enqueue(message({ delayMs: Number.NaN }))],
  ['a priority above 9', enqueue(message({ priority: 10 }))],
  ['a time to live too long', enqueue(message({ ttlMs: L.ttlMsMax + 1 }))],
  ['a dequeue of none', dequeue({ max: 0 })],
  ['a dequeue of too many', dequeue({ max: L.dequeueMax + 1 })],
  ['too long a wait', dequeue({ waitMs: L.waitMsMax + 1 })],
  ['too long a lease', dequeue({ visibilityMs: L.visibilityMsMax + 1 })],
  ['a consumer too long', dequeue({ consumer: 'c'.repeat(L.consumerLengthMax + 1) })],
  ['a watcher too long', dequeue({ watcher: 'w'.repeat(300) })],
  ['an ack of nothing', ack({ items: [] })],
  ['an ack of too many', ack({ items: times(L.itemsMax + 1, { id: 'm_1_1', token: 1 }) })],
  ['an id that is empty', ack({ items: [{ id: '', token: 1 }] })],
  ['a token of 0', ack({ items: [{ id: 'm_1_1', token: 0 }] })],
  ['a token beyond the integers', ack({ items: [{ id: 'm_1_1', token: 2 ** 53 }] })],
  ['a fence without a resource', ack({ fence: { resource: '', token: 1 } })],
  ['a fence token of 0', ack({ fence: { resource: 'r', token: 0 } })],
  ['a nack below 0', nack({ delayMs: -1 })],
  ['a nack too long', nack({ delayMs: L.delayMsMax + 1 })],
  ['a reason too long', nack({ reason: 'r'.repeat(L.reasonLengthMax + 1) })],
  ['an extension by nothing', extend({ visibilityMs: 0 })],
  ['an extension too long', extend({ visibilityMs: L.visibilityMsMax + 1 })],
  ['a checkpoint too large', extend({ checkpoint: JSON.stringify('c'.repeat(L.checkpointBytesMax)) }), 'TOO_LARGE'],
  ['a checkpoint that is no JSON', extend({ checkpoint: '{' })],
  ['a redrive of none', { type: 'queue_redrive', ...Q, max: 0, reason: '' }],
  ['a redrive of too many', { type: 'queue_redrive', ...Q, max: L.redriveMax + 1, reason: '' }],
  ['a lease that is 0', put({ visibilityMs: 0 })],
  ['deliveries that are 0', put({ maxDeliveries: 0 })],
  ['a length that is 0', put({ maxLength: 0 })],
  ['an unknown overflow', put({ overflow: 'drop-tail' })],
  ['an unknown durability', put({ durability: 'none' })],
  ['an unknown member', put({ shards: 4 })],
  ['a member of the prototype', put({ toString: 4 })],
  ['a back-off that is none', put({ backoff: 4 })],
  ['a back-off with an unknown member', put({ backoff: { visibilityMs: 1_000 } })],
  ['a factor below 1', put({ backoff: { factor: 0.5 } })],
  ['a jitter above 1', put({ backoff: { jitter: 1.5 } })],
  ['a jitter that is no number', put({ backoff: { jitter: Number.NaN } })],
  ['no op', { type: 'tx', ops: [] }],
  ['too many ops', { type: 'tx', ops: times(L.itemsMax + 1, enqueue(message())) }],
  ['too many messages over the ops', { type: 'tx', ops: times(2, enqueue(...times(L.batchMax / 2 + 1, message()))) }],
  ['too many items over the ops', { type: 'tx', ops: times(2, ack({ items: times(L.itemsMax / 2 + 1, { id: 'm_1_1', token: 1 }) })) }],
  [
    'too many bytes over the ops',
    { type: 'tx', ops: times(4, enqueue(message({ body: new Uint8Array(L.batchBytesMax / 4 + 1) }))) },
    'TOO_LARGE',
  ],
])('refused: %s', (_, command, code = 'INVALID_ARGUMENT') => {
  expect(decodeCommand(encodeCommand(command))).toMatchObject({ type: 'refused', code })
})

test('undefined members of a config are those not given', () => {
  const command = { type: 'queue_put', ...Q, config: { ttlMs: undefined, backoff: { factor: undefined } } } as unknown as PutQueueCommand
  expect(decodeCommand(encodeCommand(command))).toEqual({ type: 'queue_put', ...Q, config: { backoff: {} } })
})

test('any bytes are a command or a refusal', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    // Past the first two bytes, which nearly all would fail on.
    fc.tuple(fc.nat(12), fc.uint8Array({ maxLength: 200 })).map(([kind, rest]) => Uint8Array.of(1, kind, ...rest)),
    // A true command with one byte changed, or cut short.
    fc.tuple(anyCommand, fc.nat(), fc.nat(255), fc.boolean()).map(([command, at, value, cut]) => {
      const whole = encodeCommand(command)
      if (cut) return whole.subarray(0, at % whole.length)
      whole[at % whole.length] = value
      return whole
    }),
  )
  fc.assert(
    fc.property(bytes, (input) => {
      const decoded = decodeCommand(input)
      // What was taken is within the limits: it can be written and read again.
      if (decoded.type !== 'refused') expect(decodeCommand(encodeCommand(decoded))).toEqual(decoded)
    }),
    { numRuns: 3_000 },
  )
})

test('bytes after a command, or another version of it, are refused', () => {
  const bytes = encodeCommand(ack())
  expect(decodeCommand(Uint8Array.of(...bytes, 0))).toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect(decodeCommand(Uint8Array.of(2, ...bytes.subarray(1)))).toMatchObject({ code: 'INVALID_ARGUMENT' })
})
