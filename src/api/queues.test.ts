/** Queues over a real one-node cluster in memory: whole stories, one refusal per code, and every kind of bad input. */
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { apiOf } from '../../test/api-client.ts'
import { clusterForAll } from '../../test/embedded-bed.ts'
import { held, toldRoutes } from '../../test/told-answer.ts'
import { QUEUE_LIMITS } from '../queue/types.ts'

const cluster = clusterForAll(1, () => ['cluster.partitions=4', 'consensus.segment_bytes=4194304'])
afterAll(() => {
  expect(toldRoutes('Queues').filter((route) => !held.has(route))).toEqual([])
})

const send = apiOf(cluster)
const post = (path: string, body: unknown = {}, headers: Record<string, string> = {}) => send('POST', path, body, headers)
const enqueue = (queue: string, message: Record<string, unknown>) => post(`/queues/${queue}/enqueue`, message)
const items = (...messages: readonly Record<string, unknown>[]) => ({ items: messages.map(({ id, token }) => ({ id, token })) })

async function take(queue: string, more: Record<string, unknown> = {}) {
  const { status, body } = await post(`/queues/${queue}/dequeue`, { max: 10, ...more })
  expect(status).toBe(200)
  return body['messages'] as Record<string, any>[] // oxlint-disable-line typescript/no-explicit-any -- looked into below
}
async function takeOne(queue: string, more: Record<string, unknown> = {}) {
  const [message] = await take(queue, { max: 1, ...more })
  if (!message) throw new Error(`nothing in ${queue}`)
  return message
}
const counts = async (queue: string) => {
  const { ready, leased, delayed, dead, total } = (await send('GET', `/queues/${queue}`)).body
  return { ready, leased, delayed, dead, total }
}

describe('stories', () => {
  test('no two messages of the cluster have one id, so none is settled in the name of another', async () => {
    const queues = Array.from({ length: 8 }, (_, nth) => `twin-${nth}`)
    const ids = await Promise.all(queues.map(async (queue) => (await enqueue(queue, { data: queue })).body['id'] as string))
    expect(new Set(ids).size).toBe(queues.length)
    const [mine, ...others] = await Promise.all(queues.map((queue) => takeOne(queue)))
    for (const [nth] of others.entries()) {
      expect(await post(`/queues/twin-${nth + 1}/ack`, items(mine!))).toMatchObject({ status: 404, body: { code: 'NO_SUCH_MESSAGE' } })
    }
    for (const [nth, message] of [mine, ...others].entries()) {
      expect(message).toMatchObject({ id: ids[nth], data: `twin-${nth}` })
      expect((await post(`/queues/twin-${nth}/ack`, items(message!))).status).toBe(200)
    }
  })

  test('from the first enqueue to the last ack', async () => {
    const sent = await enqueue('story', { data: { order: 42 }, headers: { kind: 'new' } })
    expect(sent).toMatchObject({ status: 201, body: { deduplicated: false, receipt: { durableOn: ['n1'] } } })
    expect(sent.body['receipt']).toMatchObject({ partition: expect.any(Number), term: expect.any(Number), index: expect.any(Number) })
    const [message] = await take('story', { consumer: 'w1' })
    expect(message).toMatchObject({
      id: sent.body['id'],
      attempt: 1,
      group: null,
      data: { order: 42 },
      encoding: 'json',
      headers: { kind: 'new' },
      checkpoint: null,
      traceparent: null,
    })
    expect(Math.abs(Date.parse(message?.['enqueuedAt'] as string) - Date.now())).toBeLessThan(60_000)
    expect(await take('story')).toEqual([])
    expect(await counts('story')).toEqual({ ready: 0, leased: 1, delayed: 0, dead: 0, total: 1 })
    expect((await post('/queues/story/ack', items(message!))).body).toEqual({ results: [{ id: message?.['id'], ok: true }] })
    // The same ack again is ok.
    expect((await post('/queues/story/ack', items(message!))).status).toBe(200)
    expect(await counts('story')).toMatchObject({ total: 0 })
  })

  test('where it lives is where the ring says', async () => {
    for (const queue of ['where-1', 'where-2', 'a{tag}b', '{tag}', 'where-3']) {
      const { receipt } = (await enqueue(queue, { data: 1 })).body
      const status = (await send('GET', `/queues/${encodeURIComponent(queue)}`)).body
      const explained = (await send('GET', `/ring/explain?queue=${encodeURIComponent(queue)}`)).body
      expect(status).toMatchObject({ queue, partition: receipt.partition, leader: 'n1', config: { deadLetter: `${queue}!dlq` } })
      expect(explained).toMatchObject({ partition: receipt.partition, leader: 'n1' })
    }
  })

  test('a batch is in order; groups are delivered one at a time, in order', async () => {
    const messages = [1, 2, 3, 4].map((data) => ({ data, group: data % 2 ? 'odd' : 'even' }))
    expect((await post('/queues/groups/enqueue', { messages })).body['results']).toHaveLength(4)
    const first = await take('groups')
    expect(first.map(({ data, group }) => [data, group])).toEqual([
      [1, 'odd'],
      [2, 'even'],
    ])
    expect(await take('groups')).toEqual([])
    await post('/queues/groups/ack', items(...first))
    expect((await take('groups')).map(({ data }) => data)).toEqual([3, 4])
  })

  test('a waiting dequeue is answered by an enqueue, first come first served', async () => {
    await send('PUT', '/queues/waiting', {})
    const first = takeOne('waiting', { waitMs: 20_000 })
    const second = takeOne('waiting', { waitMs: 20_000 })
    await enqueue('waiting', { data: 1 })
    await enqueue('waiting', { data: 2 })
    expect([(await first)['data'], (await second)['data']].sort()).toEqual([1, 2])
  })

  test('an empty wait ends with an empty list', async () => {
    await send('PUT', '/queues/empty', {})
    expect(await take('empty', { waitMs: 50 })).toEqual([])
  })

  test('a checkpoint is handed to the next delivery', async () => {
    await enqueue('checkpoints', { data: 1 })
    const first = await takeOne('checkpoints')
    const extension = { id: first['id'], token: first['token'], visibilityMs: 60_000, checkpoint: { page: 3 } }
    expect((await post('/queues/checkpoints/extend', { items: [extension] })).status).toBe(200)
    await post('/queues/checkpoints/nack', { items: [{ id: first['id'], token: first['token'], delayMs: 0, countAttempt: false }] })
    expect(await takeOne('checkpoints')).toMatchObject({ attempt: 1, checkpoint: { page: 3 } })
  })

  test('who hangs up while waiting waits no more, and takes nothing away', async () => {
    await send('PUT', '/queues/hung', {})
    const waiters = async () => {
      const text = await (await fetch(`${cluster().nodes[0]?.url}/metrics`)).text()
      return /^tricord_queue_waiters{namespace="default",queue="hung",.*} (.*)$/m.exec(text)?.[1]
    }
    const caller = new AbortController()
    const waiting = send('POST', '/queues/hung/dequeue', { waitMs: 20_000 }, {}, caller.signal)
    const gone = expect(waiting).rejects.toThrow()
    await expect.poll(waiters).toBe('1')
    caller.abort()
    await gone
    await expect.poll(waiters).toBe('0')
    await enqueue('hung', { data: 1 })
    expect(await takeOne('hung')).toMatchObject({ data: 1, attempt: 1 })
  })

  test('retries under a key have one effect; dedupId for longer', async () => {
    const headers = { 'idempotency-key': 'k-1' }
    const once = await post('/queues/idem/enqueue', { data: 1 }, headers)
    expect(await post('/queues/idem/enqueue', { data: 1 }, headers)).toEqual(once)
    expect(await post('/queues/idem/enqueue', { data: 2 }, headers)).toMatchObject({
      status: 422,
      body: { code: 'IDEMPOTENCY_KEY_REUSED' },
    })
    expect((await post('/queues/{idem}2/enqueue', { data: 2 }, headers)).status).toBe(201)
    const got = await post('/queues/idem/dequeue', {}, headers)
    expect(got.status).toBe(422)
    const first = await enqueue('idem', { data: 3, dedupId: 'd' })
    expect((await enqueue('idem', { data: 4, dedupId: 'd' })).body).toMatchObject({ id: first.body['id'], deduplicated: true })
    expect((await counts('idem')).ready).toBe(2)
  })

  test('a poison message dies, is looked at, and is redriven', async () => {
    await send('PUT', '/queues/poison', { maxDeliveries: 2, backoff: { baseMs: 0, jitter: 0 } })
    const { id } = (await enqueue('poison', { data: 'bad', group: 'g' })).body
    await enqueue('poison', { data: 'good', group: 'g' })
    for (const attempt of [1, 2]) {
      const message = await takeOne('poison', { waitMs: 5_000 })
      expect(message).toMatchObject({ id, attempt, data: 'bad' })
      await post('/queues/poison/nack', { items: [{ id, token: message['token'], reason: '503' }] })
    }
    expect(await takeOne('poison', { waitMs: 5_000 })).toMatchObject({ data: 'good' })
    expect(await counts('poison')).toEqual({ ready: 0, leased: 1, delayed: 0, dead: 1, total: 2 })
    const dead = (await send('GET', '/queues/poison/messages?state=dead')).body
    expect(dead['messages']).toMatchObject([{ id, state: 'dead', attempt: 2, reason: '503', data: 'bad', group: 'g' }])
    expect((await post('/queues/poison/redrive', { reason: 'other' })).body).toEqual({ moved: 0 })
    expect((await post('/queues/poison/redrive', {})).body).toEqual({ moved: 1 })
    expect(await counts('poison')).toMatchObject({ ready: 1, dead: 0 })
  })

  test('looking never leases', async () => {
    for (const data of [1, 2, 3]) await enqueue('looked', { data })
    await enqueue('looked', { data: 4, delayMs: 60_000 })
    const page = (await send('GET', '/queues/looked/messages?limit=2')).body
    expect(page['messages']).toMatchObject([{ data: 1, state: 'ready', attempt: 0 }, { data: 2 }])
    const next = (await send('GET', `/queues/looked/messages?limit=2&cursor=${encodeURIComponent(page['cursor'] as string)}`)).body
    expect(next).toMatchObject({ messages: [{ data: 3 }], cursor: null })
    const delayed = (await send('GET', '/queues/looked/messages?state=delayed')).body['messages']
    expect(delayed).toMatchObject([{ data: 4, remainingMs: expect.any(Number) }])
    expect(await counts('looked')).toMatchObject({ ready: 3, leased: 0, delayed: 1 })
  })

  test('queues are listed over all partitions; namespaces see their own', async () => {
    const headers = { 'tricord-namespace': 'listing' }
    for (const queue of ['b', 'a', 'd', 'c']) await send('PUT', `/queues/${queue}`, {}, headers)
    const page = (await send('GET', '/queues?limit=3', undefined, headers)).body
    expect(page['queues'].map((status: { queue: string }) => status.queue)).toEqual(['a', 'b', 'c'])
    const rest = (await send('GET', `/queues?cursor=${encodeURIComponent(page['cursor'] as string)}`, undefined, headers)).body
    expect(rest).toMatchObject({ queues: [{ queue: 'd', ready: 0, partition: expect.any(Number) }], cursor: null })
    expect((await send('GET', '/queues/a')).status).toBe(404)
  })

  test('the age of the oldest grows though nothing else happens', async () => {
    await enqueue('aging', { data: 1 })
    const age = async () => (await send('GET', '/queues/aging')).body['oldestReadyAgeMs'] as number
    await expect.poll(age).toBeGreaterThan(100)
  })

  test('purge and delete', async () => {
    for (const data of [1, 2]) await enqueue('purged', { data })
    const leased = await takeOne('purged')
    expect((await send('DELETE', '/queues/purged/messages?confirm=purged')).body).toEqual({ purged: 2 })
    expect(await post('/queues/purged/ack', items(leased))).toMatchObject({ status: 404, body: { code: 'NO_SUCH_MESSAGE' } })
    const waiting = post('/queues/purged/dequeue', { waitMs: 20_000 })
    expect((await send('DELETE', '/queues/purged?confirm=purged')).body).toEqual({ deleted: true })
    expect(await waiting).toMatchObject({ status: 404, body: { code: 'NO_SUCH_QUEUE' } })
    expect((await send('GET', '/queues/purged')).status).toBe(404)
  })

  test('a transaction moves work from one queue to another', async () => {
    await enqueue('{t}in', { data: 1 })
    const message = await takeOne('{t}in')
    const ops = [
      { requireFence: { resource: '{t}db', token: 5 } },
      { ack: { queue: '{t}in', ...items(message) } },
      { enqueue: { queue: '{t}out', messages: [{ data: 'a' }, { data: 'b' }] } },
    ]
    const done = await post('/tx', { ops })
    expect(done).toMatchObject({
      status: 200,
      body: {
        results: [{ fenced: true }, { acknowledged: 1 }, { enqueued: [{ deduplicated: false }, {}] }],
        receipt: { durableOn: ['n1'] },
      },
    })
    expect([await counts('{t}in'), await counts('{t}out')]).toMatchObject([{ total: 0 }, { ready: 2 }])
    const stale = [{ requireFence: { resource: '{t}db', token: 4 } }, { enqueue: { queue: '{t}out', data: 'c' } }]
    expect(await post('/tx', { ops: stale })).toMatchObject({ status: 412, body: { code: 'FENCED', highest: 5 } })
    expect(await counts('{t}out')).toMatchObject({ ready: 2 })
  })

  test('a transaction takes a message, keeps what came of it in a cache, and hands it on: all or nothing', async () => {
    const entry = '/caches/results/entries/%7Bu%7Dsum'
    await enqueue('{u}in', { data: 1 })
    const message = await takeOne('{u}in')
    const ack = { ack: { queue: '{u}in', ...items(message) } }
    const put = (data: unknown) => ({ cachePut: { cache: 'results', key: '{u}sum', data, ttlMs: 60_000 } })
    const wrong = { ack: { queue: '{u}in', items: [{ id: message['id'], token: 999_999 }] } }
    expect(await post('/tx', { ops: [put(1), wrong] })).toMatchObject({ status: 409, body: { code: 'STALE_TOKEN', op: 1 } })
    expect((await send('GET', entry)).status).toBe(404)
    const done = await post('/tx', { ops: [put(1), ack, { enqueue: { queue: '{u}out', data: 2 } }, put(2)] })
    expect(done).toMatchObject({
      status: 200,
      body: {
        results: [{ put: { key: '{u}sum', created: true } }, { acknowledged: 1 }, { enqueued: [{}] }, { put: { created: false } }],
        receipt: { durableOn: ['n1'] },
      },
    })
    expect(await send('GET', entry)).toMatchObject({ status: 200, body: 2 })
    expect([await counts('{u}in'), await counts('{u}out')]).toMatchObject([{ total: 0 }, { ready: 1 }])
    expect(await post('/tx', { ops: [put(3), { enqueue: { queue: 'elsewhere', data: 1 } }] })).toMatchObject({
      status: 422,
      body: { code: 'CROSS_PARTITION', queues: ['elsewhere'], keys: ['{u}sum'] },
    })
  })

  test('a transaction under a key is done once, its puts too', async () => {
    const ops = [{ cachePut: { cache: 'results', key: '{v}n', data: 1 } }, { enqueue: { queue: '{v}q', data: 1 } }]
    const once = () => post('/tx', { ops }, { 'idempotency-key': 'tx-once' })
    const [first, second] = [await once(), await once()]
    expect(first.status).toBe(200)
    expect(second.body['results']).toEqual(first.body['results'])
    expect(await counts('{v}q')).toMatchObject({ ready: 1 })
  })
})

test('metrics tell of each queue', async () => {
  await post('/queues/measured/enqueue', { messages: [{ data: 1 }, { data: 2 }, { data: 3, delayMs: 60_000 }] })
  await post('/queues/measured/ack', items(await takeOne('measured')))
  await takeOne('measured')
  const text = await (await fetch(`${cluster().nodes[0]?.url}/metrics`)).text()
  const of = (name: string, labels = '') =>
    new RegExp(`^${name}{namespace="default",queue="measured"${labels},node="n1"} (.*)$`, 'm').exec(text)?.[1]
  expect([of('tricord_queue_depth'), of('tricord_queue_in_flight'), of('tricord_queue_dead')]).toEqual(['1', '1', '0'])
  expect(['enqueued', 'delivered', 'acked'].map((event) => of('tricord_queue_events_total', `,event="${event}"`))).toEqual(['3', '2', '1'])
})

describe('what is too large', () => {
  const max = QUEUE_LIMITS.dataBytesMax
  test('256 KiB exactly comes back as it went in, one byte more is refused', async () => {
    const data = 'x'.repeat(max - 2)
    expect((await enqueue('large', { data })).status).toBe(201)
    expect((await enqueue('large', { data: `${data}x` })).body).toMatchObject({ code: 'TOO_LARGE', status: 413 })
    const bytes = Buffer.alloc(max, 7).toString('base64')
    expect((await enqueue('large', { data: bytes, encoding: 'base64' })).status).toBe(201)
    const tooMany = Buffer.alloc(max + 1, 7).toString('base64')
    expect((await enqueue('large', { data: tooMany, encoding: 'base64' })).status).toBe(413)
    const got = await take('large')
    expect(got.map((message) => message['encoding'])).toEqual(['json', 'base64'])
    expect([got[0]?.['data'] === data, got[1]?.['data'] === bytes]).toEqual([true, true])
  })

  test('as large a batch as is taken is taken as base64 too, which is longer by a third', async () => {
    const data = Buffer.alloc(196_590).toString('base64')
    const messages = Array.from({ length: 4 }, () => ({ data, encoding: 'base64' }))
    expect((await post('/queues/batched/enqueue', { messages })).status).toBe(201)
    expect((await post('/queues/batched/enqueue', { messages: [...messages, ...messages] })).body).toMatchObject({ code: 'TOO_LARGE' })
  })

  test('a dequeue ends where its answer would be too large', async () => {
    for (let i = 0; i < 4; i++) await enqueue('wide', { data: 'x'.repeat(max - 2) })
    const first = await take('wide')
    expect(first.length).toBeLessThan(4)
    expect(first.length + (await take('wide')).length).toBe(4)
  })
})

describe('one refusal per code', () => {
  const cases: readonly (readonly [code: string, status: number, run: () => Promise<{ status: number; body: Record<string, unknown> }>])[] =
    [
      ['INVALID_ARGUMENT', 400, () => post('/queues/r/enqueue', {})],
      ['INVALID_ARGUMENT', 400, () => send('GET', '/queues/r?consistency=stale')],
      ['CONFIG_CONFLICT', 409, () => send('PUT', '/queues/r', { deadLetter: 'other' })],
      ['NO_SUCH_QUEUE', 404, () => post('/queues/none/dequeue', {})],
      ['NO_SUCH_QUEUE', 404, () => post('/queues/none/ack', { items: [{ id: 'm_1_1', token: 1 }] })],
      ['NO_SUCH_QUEUE', 404, () => post('/queues/none/redrive', {})],
      ['NO_SUCH_QUEUE', 404, () => send('GET', '/queues/none')],
      ['NO_SUCH_QUEUE', 404, () => send('GET', '/queues/none/messages')],
      ['NO_SUCH_QUEUE', 404, () => send('DELETE', '/queues/none?confirm=none')],
      [
        'NO_SUCH_MESSAGE',
        404,
        async () => {
          await enqueue('r', { data: 1 })
          return post('/queues/r/ack', { items: [{ id: 'm_zzz_zzz', token: 1 }] })
        },
      ],
      [
        'STALE_TOKEN',
        409,
        async () => {
          // The token of another message.
          await post('/queues/r1/enqueue', { messages: [{ data: 1 }, { data: 2 }] })
          const [one, other] = await take('r1')
          return post('/queues/r1/ack', { items: [{ id: one?.['id'], token: other?.['token'] }] })
        },
      ],
      [
        'STALE_TOKEN',
        409,
        async () => {
          // An ack after the redelivery.
          await send('PUT', '/queues/r2', { backoff: { baseMs: 0, jitter: 0 } })
          await enqueue('r2', { data: 1 })
          const first = await takeOne('r2', { visibilityMs: 1 })
          const second = await takeOne('r2', { waitMs: 20_000 })
          expect([second['id'], second['attempt']]).toEqual([first['id'], 2])
          expect(second['token']).toBeGreaterThan(first['token'])
          const late = await post('/queues/r2/ack', items(first))
          expect((await post('/queues/r2/ack', items(second))).status).toBe(200)
          return late
        },
      ],
      [
        'LEASE_EXPIRED',
        410,
        async () => {
          await send('PUT', '/queues/r3', { backoff: { baseMs: 600_000, maxMs: 600_000 } })
          await enqueue('r3', { data: 1 })
          const first = await takeOne('r3', { visibilityMs: 1 })
          await expect.poll(async () => (await counts('r3')).delayed).toBe(1)
          return post('/queues/r3/ack', items(first))
        },
      ],
      [
        'FENCED',
        412,
        async () => {
          await post('/queues/r4/enqueue', { messages: [{ data: 1 }, { data: 2 }] })
          const [one, other] = await take('r4')
          expect((await post('/queues/r4/ack', { ...items(one!), fence: { resource: 'db', token: 9 } })).status).toBe(200)
          return post('/queues/r4/ack', { ...items(other!), fence: { resource: 'db', token: 8 } })
        },
      ],
      ['TOO_LARGE', 413, () => enqueue('r', { data: 'x'.repeat(QUEUE_LIMITS.dataBytesMax) })],
      ['UNSUPPORTED_TYPE', 415, () => send('POST', '/queues/r/enqueue', '{"data":1}', { 'content-type': 'text/plain' })],
      ['UNSUPPORTED_TYPE', 415, () => post('/queues/r/enqueue', { data: 1 }, { 'content-encoding': 'gzip' })],
      [
        'IDEMPOTENCY_KEY_REUSED',
        422,
        async () => {
          await post('/queues/r5/enqueue', { data: 1 }, { 'idempotency-key': 'r5' })
          return post('/queues/r5/enqueue', { data: 2 }, { 'idempotency-key': 'r5' })
        },
      ],
      [
        'CROSS_PARTITION',
        422,
        () => post('/tx', { ops: ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((queue) => ({ enqueue: { queue, data: 1 } })) }),
      ],
      [
        'QUEUE_FULL',
        429,
        async () => {
          await send('PUT', '/queues/r6', { maxLength: 2 })
          await enqueue('r6', { data: 1 })
          return post('/queues/r6/enqueue', { messages: [{ data: 2 }, { data: 3 }] })
        },
      ],
    ]
  test.each(cases)('%s', async (code, status, run) => {
    expect(await run()).toMatchObject({ status, body: { code, status, outcome: 'not-applied', title: expect.any(String) } })
  })

  test('what is missing is said to be missing, whatever it is', async () => {
    const missing = async (path: string, body: unknown) => (await post(path, body)).body['errors']
    expect(await missing('/queues/r/enqueue', {})).toEqual([{ path: 'data', message: 'is missing' }])
    expect(await missing('/queues/r/ack', {})).toEqual([{ path: 'items', message: 'is missing' }])
    expect(await missing('/queues/r/extend', { items: [{ id: 'm_1_1', token: 1 }] })).toEqual([
      { path: 'items.0.visibilityMs', message: 'is missing' },
    ])
  })

  test('of several items each has its own', async () => {
    await post('/queues/mixed/enqueue', { messages: [{ data: 1 }, { data: 2 }] })
    const [one, two] = await take('mixed')
    const answer = await post('/queues/mixed/ack', {
      items: [
        { id: one?.['id'], token: one?.['token'] },
        { id: two?.['id'], token: 9_999 },
        { id: 'm_zzz_zzz', token: 1 },
      ],
    })
    expect(answer).toEqual({
      status: 200,
      body: {
        results: [
          { id: one?.['id'], ok: true },
          { id: two?.['id'], ok: false, code: 'STALE_TOKEN' },
          { id: 'm_zzz_zzz', ok: false, code: 'NO_SUCH_MESSAGE' },
        ],
      },
    })
  })
})

test('whatever JSON comes, the answer is never a 500', async () => {
  const verbs = ['enqueue', 'dequeue', 'ack', 'nack', 'extend', 'redrive']
  const item = fc.record(
    {
      id: fc.oneof(fc.constant('m_1_1'), fc.string()),
      token: fc.oneof(fc.nat(3), fc.double(), fc.string()),
      delayMs: fc.oneof(fc.nat(), fc.integer()),
      reason: fc.string({ unit: 'binary' }),
      visibilityMs: fc.integer(),
      checkpoint: fc.jsonValue(),
      countAttempt: fc.boolean(),
    },
    { requiredKeys: [] },
  )
  const message = fc.record(
    {
      data: fc.jsonValue({ maxDepth: 60 }),
      encoding: fc.constantFrom('json', 'base64', 'text'),
      group: fc.string({ unit: 'binary' }),
      dedupId: fc.string(),
      priority: fc.integer({ min: -1, max: 10 }),
      headers: fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 1 })),
    },
    { requiredKeys: [] },
  )
  const body = fc.oneof(
    fc.json(),
    message.map((each) => JSON.stringify(each)),
    fc.array(message, { maxLength: 3 }).map((messages) => JSON.stringify({ messages })),
    fc.array(item, { maxLength: 3 }).map((list) => JSON.stringify({ items: list })),
  )
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...verbs), body, async (verb, text) => {
      const { status, body: answer } = await send('POST', `/queues/fuzz/${verb}`, text)
      expect(status).toBeLessThan(500)
      if (status >= 400) expect(answer['code']).toEqual(expect.any(String))
    }),
    { numRuns: 400 },
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.dictionary(fc.constantFrom('enqueue', 'ack', 'requireFence', 'x'), fc.oneof(message, item))),
      async (ops) => {
        expect((await send('POST', '/tx', { ops })).status).toBeLessThan(500)
      },
    ),
    { numRuns: 100 },
  )
})
