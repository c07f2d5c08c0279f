/** Queues over a socket, over a machine that answers as it is told: credits, slow readers, and ends at the worst moment. */
import { expect, test } from 'vitest'
import { deliveredOf, toldGateway } from '../../../test/told-gateway.ts'
import { TricordError } from '../../base/errors.ts'
import { Connection } from './connection.ts'
import { codecFor } from './frames.ts'

type Frame = Record<string, unknown>

function bed() {
  const { clock, queued, watching, gateway } = toldGateway()
  const codec = codecFor(['tricord.v1.json'])
  if (!codec) throw new Error('no JSON')
  const sent: Frame[] = []
  const outlet = {
    isHeldBack: false,
    unreadBytes: 0,
    send: (frame: string | Uint8Array) => void sent.push(...(([JSON.parse(String(frame))] as unknown[]).flat() as Frame[])),
    close: () => {},
  }
  const onBug = (error: unknown) => expect.unreachable(String(error))
  const connection = new Connection(gateway, codec, outlet, { requestId: 'r', namespace: 'default', session: null, onBug })
  const receive = (request: unknown) => connection.receive(Buffer.from(JSON.stringify(request)), false)
  const commands = () => queued.map(({ command }) => command)
  const holdBack = (is: boolean) => {
    outlet.isHeldBack = is
    connection.writableChanged()
  }
  /** A subscription whose first dequeue is under way. */
  const subscribe = async (credit: number, more: Frame = {}) => {
    receive({ id: 's', op: 'queue.subscribe', queue: 'q', credit, ...more })
    await clock.settle()
    expect(sent.splice(0)).toEqual([{ id: 's', ok: true, result: { sub: 'q1', credit } }])
  }
  return { clock, queued, watching, connection, receive, sent, commands, holdBack, subscribe }
}

const backOf = (count: number) => ({
  type: 'queue_nack',
  queue: 'q',
  items: Array.from({ length: count }, (_, at) => ({ id: `m_1_${at + 1}`, token: 100 + at, delayMs: 0, reason: '', countAttempt: false })),
})

test('messages cost a credit each; with none left nothing is asked for', async () => {
  const { clock, queued, receive, sent, commands, subscribe } = bed()
  await subscribe(3, { visibilityMs: 500, consumer: 'w' })
  expect(commands()).toMatchObject([{ type: 'queue_dequeue', max: 3, waitMs: 25_000, visibilityMs: 500, consumer: 'w', watcher: 'w1' }])
  queued[0]?.done(deliveredOf(2))
  expect(commands()[1]).toMatchObject({ max: 1 })
  queued[1]?.done(deliveredOf(1))
  expect(queued).toHaveLength(2)
  await clock.settle()
  expect(sent.map(({ event, sub, id }) => [event, sub, id])).toEqual([1, 2, 1].map((seq) => ['queue.message', 'q1', `m_1_${seq}`]))
  receive({ id: 1, op: 'queue.credit', sub: 'q1', credit: 5 })
  expect(commands()[2]).toMatchObject({ max: 5 })
})

test('a wait that ends with nothing is renewed', async () => {
  const { queued, commands, subscribe } = bed()
  await subscribe(1)
  queued[0]?.done(deliveredOf(0))
  expect(commands()).toMatchObject([{ max: 1 }, { max: 1 }])
})

test('more credit than a dequeue takes; more than a subscription may have', async () => {
  const { clock, receive, sent, commands, subscribe } = bed()
  await subscribe(9_000)
  expect(commands()).toMatchObject([{ max: 256 }])
  receive({ id: 1, op: 'queue.credit', sub: 'q1', credit: 1_001 })
  receive({ id: 2, op: 'queue.credit', sub: 'q1', credit: 1_000 })
  receive({ id: 3, op: 'queue.credit', sub: 'q9', credit: 1 })
  await clock.settle()
  expect(sent).toMatchObject([
    { id: 1, error: { code: 'INVALID_ARGUMENT', errors: [{ path: 'credit' }] } },
    { id: 2, result: { credit: 10_000 } },
    { id: 3, error: { code: 'NOT_FOUND' } },
  ])
})

test('while the peer does not read nothing is leased for it, and what was leased meanwhile goes back', async () => {
  const { clock, queued, sent, commands, holdBack, subscribe } = bed()
  await subscribe(10)
  holdBack(true)
  expect(queued[0]?.cancelled).toBe(true)
  queued[0]?.done(deliveredOf(2))
  expect(commands().slice(1)).toMatchObject([backOf(2)])
  holdBack(false)
  expect(commands()[2]).toMatchObject({ type: 'queue_dequeue', max: 10 })
  await clock.settle()
  expect(sent).toEqual([])
})

test('a peer that reads again before its wait was given up: the next question comes after the answer to the last', async () => {
  const { queued, commands, holdBack, subscribe } = bed()
  await subscribe(10)
  holdBack(true)
  holdBack(false)
  expect(queued).toHaveLength(1)
  queued[0]?.done(deliveredOf(0))
  expect(commands()[1]).toMatchObject({ type: 'queue_dequeue', max: 10 })
})

test('what does not fit a turn is asked for in the next', async () => {
  const { clock, queued, subscribe } = bed()
  await subscribe(3)
  const reply = deliveredOf(1)
  const [message] = reply.type === 'delivered' ? reply.messages : []
  const body = Buffer.concat([message?.body.subarray(0, -1) ?? Buffer.alloc(0), Buffer.alloc(1_100_000, ' '), Buffer.from('}')])
  queued[0]?.done({ type: 'delivered', messages: [{ ...message!, body }] })
  expect(queued).toHaveLength(1)
  await clock.settle()
  expect(queued).toHaveLength(2)
})

test('unsubscribed: the wait is given up, what comes all the same goes back, what was written stays', async () => {
  const { clock, queued, receive, commands, subscribe } = bed()
  await subscribe(10)
  queued[0]?.done(deliveredOf(1))
  await clock.settle()
  receive({ id: 1, op: 'queue.unsubscribe', sub: 'q1' })
  expect(queued[1]?.cancelled).toBe(true)
  queued[1]?.done(deliveredOf(2))
  expect(commands().slice(2)).toMatchObject([backOf(2)])
})

test('the connection ends: what is on its way goes back, and what was pushed but not written', async () => {
  const { queued, connection, commands, subscribe } = bed()
  await subscribe(10)
  queued[0]?.done(deliveredOf(1))
  connection.end()
  expect(queued[1]?.cancelled).toBe(true)
  expect(commands()[2]).toMatchObject(backOf(1))
  queued[1]?.done(deliveredOf(3))
  expect(commands()[3]).toMatchObject(backOf(3))
  expect(queued).toHaveLength(4)
})

test('the connection ends while a subscription begins', async () => {
  const { clock, queued, connection, receive } = bed()
  receive({ id: 's', op: 'queue.subscribe', queue: 'q', credit: 1 })
  connection.end()
  await clock.settle()
  expect(queued).toEqual([])
})

test('a refusal that may pass is tried again after a second; another ends the subscription, and says so', async () => {
  const { clock, queued, sent, receive, subscribe } = bed()
  await subscribe(1)
  queued[0]?.done(new TricordError('NO_QUORUM', 'no leader'))
  await clock.pass(999)
  expect(queued).toHaveLength(1)
  await clock.pass(1)
  expect(queued).toHaveLength(2)
  queued[1]?.done(new TricordError('NO_SUCH_QUEUE', 'it was deleted'))
  receive({ id: 1, op: 'queue.credit', sub: 'q1', credit: 1 })
  await clock.pass(5_000)
  expect(sent).toMatchObject([
    { event: 'queue.ended', sub: 'q1', error: { code: 'NO_SUCH_QUEUE', status: 404 } },
    { id: 1, error: { code: 'NOT_FOUND' } },
  ])
  expect(queued).toHaveLength(2)
})

test('lost leases are told; after the end nobody watches', async () => {
  const { clock, connection, sent, watching, subscribe } = bed()
  await subscribe(1)
  watching.get('w1')?.({ queue: 'q', id: 'm_1_1', token: 100 })
  await clock.settle()
  expect(sent).toEqual([{ event: 'queue.leaseLost', queue: 'q', id: 'm_1_1', token: 100 }])
  connection.end()
  expect(watching.size).toBe(0)
})

test('so many subscriptions and no more', async () => {
  const { clock, receive, sent } = bed()
  for (let id = 0; id <= 100; id++) receive({ id, op: 'queue.subscribe', queue: 'q', credit: 1 })
  await clock.settle()
  expect(sent.filter(({ ok }) => ok)).toHaveLength(100)
  expect(sent.at(-1)).toMatchObject({ id: 100, error: { code: 'QUOTA' } })
})

test('calls: enqueue, dequeue, ack, nack, extend', async () => {
  const { clock, queued, receive, sent, commands } = bed()
  const item = { id: 'm_1_1', token: 100 }
  receive({ id: 1, op: 'queue.enqueue', queue: 'q', data: { a: 1 }, group: 'g', idempotencyKey: 'k' })
  receive({ id: 2, op: 'queue.dequeue', queue: 'q', max: 2, waitMs: 5 })
  receive({ id: 3, op: 'queue.ack', queue: 'q', items: [item] })
  receive({ id: 4, op: 'queue.nack', queue: 'q', items: [item] })
  receive({ id: 5, op: 'queue.extend', queue: 'q', items: [{ ...item, visibilityMs: 9 }] })
  receive({ id: 6, op: 'queue.enqueue', queue: 'q!', data: 1 })
  receive({ id: 7, op: 'queue.enqueue', queue: 'q', data: 1, name: 'q' })
  expect(commands()).toMatchObject([
    { type: 'queue_enqueue', namespace: 'default', queue: 'q', messages: [{ group: 'g' }] },
    { type: 'queue_dequeue', max: 2, waitMs: 5, watcher: 'w1' },
    { type: 'queue_ack', items: [item] },
    { type: 'queue_nack', items: [{ ...item, countAttempt: true }] },
    { type: 'queue_extend', items: [{ ...item, visibilityMs: 9, checkpoint: null }] },
  ])
  expect(queued.map(({ options }) => options.idempotencyKey?.key.length)).toEqual([22, undefined, undefined, undefined, undefined])
  const receipt = { partition: 0, term: 1, index: 1, durableOn: [] }
  queued[0]?.done({ type: 'enqueued', items: [{ id: 'm_1_1', deduplicated: false }], receipt })
  queued[1]?.done(deliveredOf(1))
  queued[2]?.done({ type: 'settled', outcomes: [''] })
  queued[3]?.done({ type: 'settled', outcomes: ['STALE_TOKEN'] })
  queued[4]?.done({ type: 'settled', outcomes: ['LEASE_EXPIRED'] })
  await clock.settle()
  expect(sent.sort((a, b) => Number(a['id']) - Number(b['id']))).toMatchObject([
    { id: 1, ok: true, result: { id: 'm_1_1', deduplicated: false, receipt } },
    { id: 2, ok: true, result: { messages: [{ id: 'm_1_1', data: { seq: 1 } }] } },
    { id: 3, ok: true, result: { results: [{ id: 'm_1_1', ok: true }] } },
    { id: 4, ok: false, error: { code: 'STALE_TOKEN', status: 409 } },
    { id: 5, ok: false, error: { code: 'LEASE_EXPIRED', status: 410 } },
    { id: 6, ok: false, error: { errors: [{ path: 'queue' }] } },
    { id: 7, ok: false, error: { errors: [{ path: 'name' }] } },
  ])
})

test('a dequeue whose connection ends: the wait is given up, what comes all the same goes back, but not under a key', async () => {
  const { queued, connection, receive, commands } = bed()
  receive({ id: 1, op: 'queue.dequeue', queue: 'q', waitMs: 5_000 })
  receive({ id: 2, op: 'queue.dequeue', queue: 'q', waitMs: 5_000, idempotencyKey: 'k' })
  connection.end()
  queued[0]?.done(deliveredOf(1))
  queued[1]?.done(deliveredOf(1))
  expect(commands().slice(2)).toMatchObject([backOf(1)])
})
