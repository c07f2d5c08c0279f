import { expect, test } from 'vitest'
import { DEFAULT_CONFIG } from './types.ts'
import type { QueueConfig } from './types.ts'
import * as replies from './replies.ts'

const config: QueueConfig = { ...DEFAULT_CONFIG, deadLetter: 'q!dlq' }
const read = (reply: Parameters<typeof replies.decodeReply>[0]) => replies.decodeReply(reply, 7)

test('an enqueue is answered with ids and, once attached, with the nodes that have it', () => {
  const bare = replies.enqueued(12, 3, 36)
  replies.addEnqueued(bare, 1, false)
  replies.addEnqueued(bare, 35, true)
  const items = [
    { id: 'm_10_1', deduplicated: false },
    { id: 'm_10_z', deduplicated: true },
  ]
  expect(read(bare)).toEqual({ type: 'enqueued', items, receipt: { partition: 7, term: 3, index: 12, durableOn: [] } })
  expect(replies.receiptIndex(bare)).toBe(12)
  const attached = replies.attachDurable(bare, ['n1', 'n3'])
  expect(read(attached)).toEqual({ type: 'enqueued', items, receipt: { partition: 7, term: 3, index: 12, durableOn: ['n1', 'n3'] } })
  expect(bare[3]).toBeNull()
})

test('a dequeue is answered with messages once their bodies are attached, without those that are gone', () => {
  const bare = replies.delivered(2)
  expect(read(bare)).toEqual({ type: 'delivered', messages: [] })
  expect(replies.bareDeliveries(bare)).toBeNull()
  const delivery = { seq: 4, token: 9, attempt: 1, group: 'g', visibilityMs: 30_000, checkpoint: null }
  replies.addDelivery(bare, delivery)
  replies.addDelivery(bare, { ...delivery, seq: 5, token: 10 })
  replies.addDelivery(bare, { ...delivery, seq: 6, token: 11, attempt: 2, checkpoint: '{"page":3}' })
  expect(() => read(bare)).toThrow('with their bodies')
  const deliveries = [4, 5, 6].map((seq) => ({ seq, token: seq + 5 }))
  expect(replies.bareDeliveries(bare)).toEqual({ queue: 2, deliveries })
  const body = Uint8Array.of(1, 2)
  const attached = replies.attachBodies(bare, [{ enqueuedAt: 100, body }, undefined, { enqueuedAt: 101, body }])
  const { seq: _, ...rest } = delivery
  expect(read(attached)).toEqual({
    type: 'delivered',
    messages: [
      { ...rest, id: 'm_2_4', enqueuedAt: 100, body },
      { ...rest, id: 'm_2_6', token: 11, attempt: 2, checkpoint: '{"page":3}', enqueuedAt: 101, body },
    ],
  })
  expect(replies.bareDeliveries(attached)).toBeNull()
})

test('a transaction is answered op by op', () => {
  const first = replies.didEnqueue(1)
  replies.addEnqueued(first, 8, false)
  const bare = replies.transacted(5, 2, [first, replies.didAck(3), replies.didFence()])
  const results = [{ enqueued: [{ id: 'm_1_8', deduplicated: false }] }, { acknowledged: 3 }, { fenced: true }]
  expect(replies.receiptIndex(bare)).toBe(5)
  expect(read(replies.attachDurable(bare, ['n2']))).toEqual({
    type: 'transacted',
    results,
    receipt: { partition: 7, term: 2, index: 5, durableOn: ['n2'] },
  })
})

test('the others are what they say', () => {
  const said = [
    [replies.put(true, config), { type: 'put', created: true, config }],
    [replies.settled(['', 'STALE_TOKEN']), { type: 'settled', outcomes: ['', 'STALE_TOKEN'] }],
    [replies.moved(4), { type: 'moved', moved: 4 }],
    [replies.purged(0), { type: 'purged', purged: 0 }],
    [replies.deleted(), { type: 'deleted' }],
  ] as const
  for (const [reply, view] of said) {
    expect(read(reply)).toEqual(view)
    expect(replies.receiptIndex(reply)).toBeNull()
    expect(replies.bareDeliveries(reply)).toBeNull()
  }
  const refusal = { type: 'refused', code: 'FENCED', message: 'm', details: { highest: 4 } } as const
  expect(read(replies.refused(refusal))).toEqual(refusal)
  expect(() => read([99])).toThrow('unknown kind')
})
