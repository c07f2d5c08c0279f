/** Queues over WebSockets against a real cluster of three: pushes, credits, what goes back, leases that are lost. */
import { pack } from 'msgpackr'
import { describe, expect, test } from 'vitest'
import { apiOf } from '../../../test/api-client.ts'
import { clusterForAll } from '../../../test/embedded-bed.ts'
import { type SocketClient, openSocket } from '../../../test/socket-client.ts'

const cluster = clusterForAll(3, () => ['cluster.partitions=4', 'consensus.segment_bytes=4194304'])
const send = apiOf(cluster)
const enqueue = (queue: string, message: Record<string, unknown>) => send('POST', `/queues/${queue}/enqueue`, message)
const counts = async (queue: string) => (await send('GET', `/queues/${queue}`)).body
const connect = (node = 0, protocol = 'tricord.v1.json') =>
  openSocket(`${cluster().nodes[node]?.url.replace('http', 'ws')}/v1/ws`, protocol)
const itemsOf = (...messages: readonly Record<string, unknown>[]) => messages.map(({ id, token }) => ({ id, token }))

async function drainOf(client: SocketClient, count: number) {
  const messages: Record<string, unknown>[] = []
  while (messages.length < count) messages.push(await client.answer('queue.message'))
  return messages
}

describe.each(['tricord.v1.json', 'tricord.v1.msgpack'])('over %s', (protocol) => {
  test('enqueue, dequeue, extend, nack, ack', async () => {
    const client = await connect(1, protocol)
    const queue = `calls-${protocol}`
    const sent = await client.result('queue.enqueue', { queue, data: { a: [1, 2.5, null, 'ü'] }, headers: { h: 1 } })
    expect(sent).toMatchObject({ deduplicated: false, receipt: { durableOn: expect.arrayContaining([expect.any(String)]) } })
    expect(sent['receipt'].durableOn.length).toBeGreaterThanOrEqual(2)
    const { messages } = await client.result('queue.dequeue', { queue, waitMs: 5_000 })
    expect(messages).toMatchObject([{ id: sent['id'], attempt: 1, data: { a: [1, 2.5, null, 'ü'] }, headers: { h: 1 } }])
    const [item] = itemsOf(...messages)
    await client.result('queue.extend', { queue, items: [{ ...item, visibilityMs: 60_000, checkpoint: [1] }] })
    await client.result('queue.nack', { queue, items: [{ ...item, delayMs: 0 }] })
    const [again] = (await client.result('queue.dequeue', { queue, waitMs: 5_000 }))['messages']
    expect(again).toMatchObject({ id: sent['id'], attempt: 2, checkpoint: [1] })
    expect(await client.call('queue.ack', { queue, items: [item] })).toMatchObject({ ok: false, error: { code: 'STALE_TOKEN' } })
    expect(await client.result('queue.ack', { queue, items: itemsOf(again) })).toEqual({ results: [{ id: sent['id'], ok: true }] })
    await client.close()
  })

  test('a subscription is pushed to as far as its credit goes, and what others enqueue later', async () => {
    const client = await connect(2, protocol)
    const queue = `pushed-${protocol}`
    await send('POST', `/queues/${queue}/enqueue`, { messages: [1, 2, 3, 4].map((data) => ({ data })) })
    const { sub } = await client.result('queue.subscribe', { queue, credit: 3 })
    const first = await drainOf(client, 3)
    expect(first.map(({ sub: to, data }) => [to, data])).toEqual([1, 2, 3].map((data) => [sub, data]))
    expect(await counts(queue)).toMatchObject({ ready: 1, leased: 3 })
    await client.result('queue.ack', { queue, items: itemsOf(...first) })
    expect(await counts(queue)).toMatchObject({ ready: 1, leased: 0 })
    await client.result('queue.credit', { sub, credit: 2 })
    expect((await drainOf(client, 1))[0]).toMatchObject({ data: 4 })
    await enqueue(queue, { data: 5 })
    expect((await drainOf(client, 1))[0]).toMatchObject({ data: 5 })
    await enqueue(queue, { data: 6 })
    expect(await counts(queue)).toMatchObject({ ready: 1, leased: 2 })
    await client.close()
  })
})

test('a connection that ends keeps what was written; the next messages are for others', async () => {
  const [one, other] = [await connect(0), await connect(1)]
  await send('PUT', '/queues/ends', {})
  await one.result('queue.subscribe', { queue: 'ends', credit: 10 })
  await enqueue('ends', { data: 1 })
  await drainOf(one, 1)
  one.socket.terminate()
  await one.closed
  await other.result('queue.subscribe', { queue: 'ends', credit: 10 })
  await enqueue('ends', { data: 2 })
  expect((await drainOf(other, 1))[0]).toMatchObject({ data: 2, attempt: 1 })
  expect(await counts('ends')).toMatchObject({ leased: 2 })
  await other.close()
})

test('unsubscribed, nothing comes any more', async () => {
  const client = await connect()
  await send('PUT', '/queues/unsubscribed', {})
  const { sub } = await client.result('queue.subscribe', { queue: 'unsubscribed', credit: 10 })
  expect(await client.result('queue.unsubscribe', { sub })).toEqual({ unsubscribed: true })
  await enqueue('unsubscribed', { data: 1 })
  const { messages } = await client.result('queue.dequeue', { queue: 'unsubscribed', waitMs: 5_000 })
  expect(messages).toMatchObject([{ data: 1, attempt: 1 }])
  expect(await client.call('queue.unsubscribe', { sub })).toMatchObject({ error: { code: 'NOT_FOUND' } })
  await client.close()
})

test('a lease that ends unsettled is told to the connection that had it, on whatever node', async () => {
  for (const node of [0, 1, 2]) {
    const client = await connect(node)
    const queue = `lost-${node}`
    await enqueue(queue, { data: 1 })
    await client.result('queue.subscribe', { queue, credit: 1, visibilityMs: 50 })
    const [message] = await drainOf(client, 1)
    expect(await client.answer('queue.leaseLost')).toEqual({ event: 'queue.leaseLost', queue, ...itemsOf(message!)[0] })
    await client.close()
  }
})

test('a purge ends leases, and a deletion the subscription', async () => {
  const client = await connect()
  await enqueue('deleted', { data: 1 })
  const { sub } = await client.result('queue.subscribe', { queue: 'deleted', credit: 2 })
  const [message] = await drainOf(client, 1)
  await send('DELETE', '/queues/deleted/messages?confirm=deleted')
  expect(await client.answer('queue.leaseLost')).toMatchObject(itemsOf(message!)[0]!)
  await send('DELETE', '/queues/deleted?confirm=deleted')
  expect(await client.answer('queue.ended')).toMatchObject({ sub, error: { code: 'NO_SUCH_QUEUE', status: 404 } })
  await client.close()
})

test('refusals', async () => {
  const client = await connect()
  const code = async (op: string, members: Record<string, unknown>) => (await client.call(op, members))['error'].code as string
  expect(await code('queue.subscribe', { queue: 'never-there', credit: 1 })).toBe('NO_SUCH_QUEUE')
  expect(await code('queue.subscribe', { queue: 'never-there', credit: 0 })).toBe('INVALID_ARGUMENT')
  expect(await code('queue.subscribe', { queue: 'a b', credit: 1 })).toBe('INVALID_ARGUMENT')
  expect(await code('queue.enqueue', { queue: 'q' })).toBe('INVALID_ARGUMENT')
  expect(await code('queue.dequeue', { queue: 'never-there' })).toBe('NO_SUCH_QUEUE')
  expect(await code('queue.credit', { sub: 'q1', credit: 1 })).toBe('NOT_FOUND')
  const packed = await connect(0, 'tricord.v1.msgpack')
  expect(await packed.call('queue.enqueue', { queue: 'q', data: { bytes: new Uint8Array(3) } })).toMatchObject({
    error: { code: 'INVALID_ARGUMENT', errors: [{ path: 'data' }] },
  })
  await Promise.all([client.close(), packed.close()])
})

test('the largest batches, the largest answers, from every node', async () => {
  const data = 'x'.repeat(262_100)
  const text = 'ü'.repeat(1_400)
  for (const node of [0, 1, 2]) {
    const [at, queue] = [apiOf(cluster, node), `largest-${node}`]
    expect((await at('POST', `/queues/${queue}/enqueue`, { messages: [{ data }, { data }, { data: 1 }] })).status).toBe(201)
    expect((await at('POST', `/queues/${queue}/enqueue`, { data })).status).toBe(201)
    const got: unknown[] = []
    while (got.length < 4) {
      const { status, body } = await at('POST', `/queues/${queue}/dequeue`, { max: 10 })
      expect(status).toBe(200)
      got.push(...body['messages'].map((message: { data: unknown }) => message.data === data))
    }
    expect(got).toEqual([true, true, false, true])
    const messages = Array.from({ length: 250 }, (_, i) => ({
      data: text,
      group: `${text.slice(0, 120)}${i}`,
      dedupId: `${text.slice(0, 120)}${i}`,
    }))
    expect((await at('POST', `/queues/${queue}/enqueue`, { messages })).status).toBe(201)
    expect((await at('POST', `/queues/${queue}/dequeue`, { max: 256 })).body['messages'].length).toBeGreaterThan(100)
  }
})

test('checkpoints count for the size of an answer', async () => {
  const queue = 'checkpoints'
  const take = async () => (await send('POST', `/queues/${queue}/dequeue`, { max: 256 })).body['messages'] as Record<string, unknown>[]
  const messages = Array.from({ length: 250 }, () => ({ data: 'x'.repeat(1_900) }))
  await send('POST', `/queues/${queue}/enqueue`, { messages })
  const taken = await take()
  expect(taken).toHaveLength(250)
  const checkpoint = 'x'.repeat(4_000)
  for (let from = 0; from < 250; from += 50) {
    const items = itemsOf(...taken.slice(from, from + 50)).map((item) => ({ ...item, visibilityMs: 60_000, checkpoint }))
    expect((await send('POST', `/queues/${queue}/extend`, { items })).status).toBe(200)
  }
  await send('POST', `/queues/${queue}/nack`, { items: itemsOf(...taken).map((item) => ({ ...item, delayMs: 0 })) })
  const again = [...(await take()), ...(await take()), ...(await take())]
  expect(again).toHaveLength(250)
  expect(again.every((message) => message['checkpoint'] === checkpoint)).toBe(true)
})

test('a peer that does not read holds nothing that others could have', async () => {
  const slow = await connect()
  const data = 'x'.repeat(200_000)
  const count = 150
  for (let i = 0; i < count; i++) await enqueue('slow', { data })
  const visibilityMs = 600_000
  await slow.result('queue.subscribe', { queue: 'slow', credit: count, visibilityMs })
  slow.socket.pause()
  // Whatever the socket's buffers took is leased; the rest is not.
  const other = await connect(1)
  await other.result('queue.subscribe', { queue: 'slow', credit: 1, visibilityMs })
  expect((await drainOf(other, 1))[0]).toMatchObject({ attempt: 1 })
  expect((await counts('slow'))['ready']).toBeGreaterThan(0)
  slow.socket.resume()
  await drainOf(slow, count - 1)
  expect(await counts('slow')).toMatchObject({ ready: 0, leased: count })
  await Promise.all([slow.close(), other.close()])
})

test('a request that only MessagePack can say is refused under its own id, and the others of its frame are served', async () => {
  const client = await connect(0, 'tricord.v1.msgpack')
  const queue = 'not-plain'
  const values = [new Date(0), 2n ** 60n]
  const frame = [...values.map((data, nth) => ({ id: `no-${nth}`, op: 'queue.enqueue', queue, data })), { id: 'yes', op: 'ping' }]
  client.socket.send(pack(frame))
  for (const [nth] of values.entries()) {
    expect(await client.answer(`no-${nth}`)).toMatchObject({ ok: false, error: { code: 'INVALID_ARGUMENT', errors: [{ path: 'frame' }] } })
  }
  expect(await client.answer('yes')).toMatchObject({ ok: true })
  client.socket.send(pack({ id: 7, op: 'queue.enqueue', queue, data: { deep: [new Date(0)] } }))
  expect(await client.answer(7)).toMatchObject({ ok: false })
  // Nobody can tell whose answer it would be.
  client.socket.send(pack({ id: new Date(0), op: 'ping' }))
  expect(await client.answer(null)).toMatchObject({ ok: false })
  await client.close()
})
