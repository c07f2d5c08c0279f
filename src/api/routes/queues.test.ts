/** Queues over HTTP, over a machine that answers as it is told: what goes in, what comes out, and callers that hang up. */
import { describe, expect, test } from 'vitest'
import { deliveredOf, toldGateway } from '../../../test/told-gateway.ts'
import { TricordError } from '../../base/errors.ts'
import { decodeBody, encodeBody } from '../../queue/message-body.ts'
import { type Answered, QUEUE_LIMITS } from '../../queue/types.ts'
import type { Transacted } from '../../transaction/types.ts'
import { createApp } from '../app.ts'

const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const RECEIPT = { partition: 7, term: 2, index: 9, durableOn: ['n1', 'n3'] }

function bed() {
  const { clock, queued, gateway } = toldGateway()
  const app = createApp(gateway, { onBug: (error) => expect.unreachable(String(error)) })
  const send = (path: string, body: unknown, extra: RequestInit = {}, method = 'POST') =>
    Promise.resolve(
      app.request(`/v1${path}`, {
        method,
        body: typeof body === 'string' ? body : JSON.stringify(body),
        ...extra,
        headers: { 'content-type': 'application/json', ...(extra.headers as Record<string, string>) },
      }),
    )
  /** The answer to a call whose command is told `reply`. */
  const call = async (
    path: string,
    body: unknown,
    reply: Answered | Transacted | TricordError,
    extra: RequestInit = {},
    method = 'POST',
  ) => {
    const answer = send(path, body, extra, method)
    await clock.settle()
    queued.at(-1)?.done(reply)
    const response = await answer
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }
  return { clock, queued, gateway, app, send, call }
}

const enqueuedOf = (...ids: string[]): Answered => ({
  type: 'enqueued',
  items: ids.map((id) => ({ id, deduplicated: false })),
  receipt: RECEIPT,
})

describe('enqueue', () => {
  test('one message: its members, its data as JSON text, the clock and the trace of the call', async () => {
    const { queued, call } = bed()
    const message = { data: { a: [1, 'ü'] }, group: 'g', dedupId: 'd', delayMs: 5, priority: 9, ttlMs: 7, headers: { h: 1 } }
    const answer = await call('/queues/orders/enqueue', message, enqueuedOf('m_1_1'), { headers: { traceparent: TRACE } })
    expect(answer).toEqual({ status: 201, body: { id: 'm_1_1', deduplicated: false, receipt: RECEIPT } })
    const command = queued[0]?.command
    expect(command).toMatchObject({ type: 'queue_enqueue', namespace: 'default', queue: 'orders' })
    const [sent] = command?.type === 'queue_enqueue' ? command.messages : []
    expect(sent).toMatchObject({ group: 'g', dedupId: 'd', delayMs: 5, priority: 9, ttlMs: 7 })
    const body = decodeBody(sent?.body ?? new Uint8Array())
    expect(body).toMatchObject({ encoding: 'json', headers: '{"h":1}', traceparent: TRACE, enqueuedAt: 1_700_000_000_000 })
    expect(Buffer.from(body?.data ?? []).toString()).toBe('{"a":[1,"ü"]}')
  })

  test('several messages are one command, whatever their number', async () => {
    const { queued, call } = bed()
    const batch = { messages: [{ data: null }, { data: 'AAH/', encoding: 'base64' }] }
    const answer = await call('/queues/q/enqueue', batch, enqueuedOf('m_1_1', 'm_1_2'))
    expect(answer.body).toEqual({
      results: [
        { id: 'm_1_1', deduplicated: false },
        { id: 'm_1_2', deduplicated: false },
      ],
      receipt: RECEIPT,
    })
    const { command } = queued[0] ?? {}
    const bodies = command?.type === 'queue_enqueue' ? command.messages.map(({ body }) => decodeBody(body)) : []
    expect(bodies.map((body) => [body?.encoding, [...(body?.data ?? [])]])).toEqual([
      ['json', [...Buffer.from('null')]],
      ['base64', [0, 1, 255]],
    ])
    const one = await call('/queues/q/enqueue', { messages: [{ data: 1 }] }, enqueuedOf('m_1_3'))
    expect(one.body['results']).toHaveLength(1)
  })

  const text = (bytes: number) => 'x'.repeat(bytes - 2)
  const binary = (bytes: number) => Buffer.alloc(bytes).toString('base64')
  const max = QUEUE_LIMITS.dataBytesMax
  test.each([
    ['JSON of 256 KiB', { data: text(max) }, 201],
    ['JSON of a byte more', { data: text(max + 1) }, 413],
    ['JSON whose characters have two bytes', { data: 'ü'.repeat(max / 2) }, 413],
    ['bytes, 256 KiB', { data: binary(max), encoding: 'base64' }, 201],
    ['bytes, one more', { data: binary(max + 1), encoding: 'base64' }, 413],
    ['a batch of more than fits a command', { messages: Array.from({ length: 7 }, () => ({ data: text(120_000) })) }, 413],
  ])('%s', async (_what, body, status) => {
    const { queued, call } = bed()
    const answer = await call('/queues/q/enqueue', body, enqueuedOf('m_1_1'))
    expect(answer.status).toBe(status)
    if (status === 413) expect(answer.body).toMatchObject({ code: 'TOO_LARGE', outcome: 'not-applied', retryable: false })
    expect(queued).toHaveLength(status === 201 ? 1 : 0)
  })

  const deep = (depth: number) => `{"data":${'['.repeat(depth)}${']'.repeat(depth)}}`
  test.each([
    ['no data', {}, 'data'],
    ['not base64', { data: 'AA=', encoding: 'base64' }, 'data'],
    ['base64 with a stranger in it', { data: 'AAA*', encoding: 'base64' }, 'data'],
    ['base64 with bits that mean nothing', { data: 'AB==', encoding: 'base64' }, 'data'],
    ['base64 that is no text', { data: 7, encoding: 'base64' }, 'data'],
    ['a number beyond all numbers', '{"data":[1e999]}', 'data'],
    ['very deep', deep(100_000), 'data'],
    ['too deep', deep(51), 'data'],
    ['an unknown member', { data: 1, grup: 'g' }, 'grup'],
    ['a priority of ten', { data: 1, priority: 10 }, 'priority'],
    ['an empty group', { data: 1, group: '' }, 'group'],
    ['headers too large', { data: 1, headers: { h: 'x'.repeat(4_096) } }, 'headers'],
    ['headers too deep', { data: 1, headers: { h: {} } }, 'headers.h'],
    ['an empty batch', { messages: [] }, 'messages'],
    ['a batch of 257', { messages: Array.from({ length: 257 }, () => ({ data: 1 })) }, 'messages'],
    ['a fault inside a batch', { messages: [{ data: 1 }, { data: 1, delayMs: -1 }] }, 'messages.1.delayMs'],
    ['a batch with members of one', { messages: [{ data: 1 }], data: 1 }, 'data'],
  ])('refused: %s', async (_what, body, path) => {
    const { queued, call } = bed()
    const answer = await call('/queues/q/enqueue', body, enqueuedOf('m_1_1'))
    expect(answer).toMatchObject({ status: 400, body: { code: 'INVALID_ARGUMENT', errors: [{ path }] } })
    expect(queued).toEqual([])
  })

  test('as deep as is taken', async () => {
    expect((await bed().call('/queues/q/enqueue', deep(50), enqueuedOf('m_1_1'))).status).toBe(201)
  })

  test('keys belong to a queue', async () => {
    const { queued, call } = bed()
    const headers = { 'idempotency-key': 'k' }
    for (const path of ['/queues/a/enqueue', '/queues/b/enqueue', '/queues/a/enqueue']) {
      await call(path, { data: 1 }, enqueuedOf('m_1_1'), { headers })
    }
    const [a, b, again] = queued.map(({ options }) => options.idempotencyKey)
    expect(again).toEqual(a)
    expect(b?.key).not.toBe(a?.key)
  })
})

describe('dequeue', () => {
  test('members and defaults in, messages out', async () => {
    const { queued, call } = bed()
    const answer = await call('/queues/q/dequeue', {}, deliveredOf(2))
    expect(queued[0]?.command).toEqual({
      type: 'queue_dequeue',
      namespace: 'default',
      queue: 'q',
      max: 1,
      waitMs: 0,
      visibilityMs: null,
      consumer: '',
      watcher: '',
    })
    const message = (seq: number) => ({
      id: `m_1_${seq}`,
      token: 99 + seq,
      attempt: 1,
      group: null,
      data: { seq },
      encoding: 'json',
      headers: {},
      enqueuedAt: '2023-11-14T22:13:20.000Z',
      checkpoint: null,
      traceparent: null,
    })
    expect(answer).toEqual({ status: 200, body: { messages: [message(1), message(2)] } })
    expect((await call('/queues/q/dequeue', {}, deliveredOf(0))).body).toEqual({ messages: [] })
  })

  const wait = { waitMs: 20_000, max: 2 }
  const givenBack = [1, 2].map((seq) => ({ id: `m_1_${seq}`, token: 99 + seq, delayMs: 0, reason: '', countAttempt: false }))

  test('who hangs up waits no more, and what comes all the same goes back', async () => {
    const { clock, queued, send } = bed()
    const caller = new AbortController()
    const answer = send('/queues/q/dequeue', wait, { signal: caller.signal })
    await clock.settle()
    expect(queued[0]?.cancelled).toBe(false)
    caller.abort()
    expect(queued[0]?.cancelled).toBe(true)
    queued[0]?.done(deliveredOf(2))
    await answer
    expect(queued[1]?.command).toEqual({ type: 'queue_nack', namespace: 'default', queue: 'q', items: givenBack })
  })

  test('nor does what did not wait go to somebody who has hung up meanwhile', async () => {
    const { clock, queued, app } = bed()
    const outgoing = { destroyed: false }
    const headers = { 'content-type': 'application/json' }
    const answer = app.request('/v1/queues/q/dequeue', { method: 'POST', body: '{}', headers }, { outgoing })
    await clock.settle()
    outgoing.destroyed = true
    queued[0]?.done(deliveredOf(2))
    await answer
    expect(queued[1]?.command).toMatchObject({ type: 'queue_nack', items: givenBack })
  })

  test('a message that no gateway of this version has written is shown as its bytes, and stops nothing', async () => {
    const { call } = bed()
    const [message] = (deliveredOf(1) as Extract<Answered, { type: 'delivered' }>).messages
    const json = { encoding: 'json', headers: '{', traceparent: '', enqueuedAt: Number.MAX_SAFE_INTEGER } as const
    const bodies = [new Uint8Array([255, 1, 2]), new Uint8Array(0), encodeBody({ ...json, data: Buffer.from('{"half') })]
    const messages = bodies.map((body) => ({ ...message!, body, checkpoint: '[' }))
    const { status, body } = await call('/queues/q/dequeue', {}, { type: 'delivered', messages })
    expect(status).toBe(200)
    expect(body['messages']).toMatchObject([
      { data: '/wEC', encoding: 'base64', headers: {}, checkpoint: null },
      { data: '', encoding: 'base64' },
      { data: Buffer.from('{"half').toString('base64'), encoding: 'base64', headers: {} },
    ])
  })

  test('who named the request may come back for it', async () => {
    const { clock, queued, send } = bed()
    const caller = new AbortController()
    const answer = send('/queues/q/dequeue', wait, { signal: caller.signal, headers: { 'idempotency-key': 'k' } })
    await clock.settle()
    caller.abort()
    expect(queued[0]?.cancelled).toBe(false)
    queued[0]?.done(deliveredOf(2))
    await answer
    expect(queued).toHaveLength(1)
  })

  test('a wait is answered within 25 s, leader or not, and what comes later goes back', async () => {
    const { clock, queued, send } = bed()
    const pending = send('/queues/q/dequeue', wait)
    await clock.pass(25_000)
    const answer = await pending
    expect([answer.status, await answer.json()]).toMatchObject([504, { code: 'UNKNOWN_OUTCOME' }])
    expect(queued).toMatchObject([{ cancelled: true }])
    queued[0]?.done(deliveredOf(2))
    await clock.settle()
    expect(queued[1]?.command).toMatchObject({ type: 'queue_nack', items: givenBack })
  })

  test('after the answer the end of the connection changes nothing', async () => {
    const { clock, queued, send } = bed()
    const caller = new AbortController()
    const answer = send('/queues/q/dequeue', wait, { signal: caller.signal })
    await clock.settle()
    queued[0]?.done(deliveredOf(2))
    await answer
    caller.abort()
    expect(queued).toMatchObject([{ cancelled: false }])
  })
})

describe('traces', () => {
  function traced(isSampled: boolean) {
    const { gateway, ...rest } = bed()
    const links: string[] = []
    const span = { traceparent: TRACE, rename: () => {}, end: () => {}, link: (to: string) => void (to !== '' && links.push(to)) }
    Object.assign(gateway, { startSpan: () => (isSampled ? span : null) })
    return { ...rest, links }
  }
  const [producer, unsampled] = [TRACE.replace('00f0', '11f0'), TRACE.replace('00f0', '22f0').replace(/01$/, '00')]
  const delivered: Answered = {
    type: 'delivered',
    messages: [producer, unsampled, ''].map((traceparent, at) => ({
      id: `m_1_${at}`,
      token: at + 1,
      attempt: 1,
      group: '',
      visibilityMs: 1,
      enqueuedAt: 1,
      checkpoint: null,
      body: encodeBody({ encoding: 'json', data: Buffer.from('1'), headers: '', traceparent, enqueuedAt: 1 }),
    })),
  }
  const items = [0, 1, 7].map((at) => ({ id: `m_1_${at}`, token: at + 1 }))
  const settled: Answered = { type: 'settled', outcomes: ['', '', ''] }

  test('the consumer’s spans, of dequeue and of ack, link to those of sampled producers', async () => {
    const { call, links } = traced(true)
    const answer = await call('/queues/q/dequeue', {}, delivered)
    expect(answer.body).toMatchObject({ messages: [{ traceparent: producer }, { traceparent: unsampled }, { traceparent: null }] })
    expect(links.splice(0)).toEqual([producer])
    await call('/queues/q/ack', { items }, settled)
    expect(links).toEqual([producer])
  })

  test('where the consumer is not sampled nothing is remembered', async () => {
    const { call, links } = traced(false)
    await call('/queues/q/dequeue', {}, delivered)
    await call('/queues/q/ack', { items }, settled)
    expect(links).toEqual([])
  })

  test('a message keeps the span of its enqueue, else what its caller sent, unless that is nonsense', async () => {
    const keptBy = async (isSampled: boolean, header: string) => {
      const { call, queued } = traced(isSampled)
      await call('/queues/q/enqueue', { data: 1 }, enqueuedOf('m_1_1'), { headers: { traceparent: header } })
      const { command } = queued[0] ?? {}
      return command?.type === 'queue_enqueue' ? decodeBody(command.messages[0]?.body ?? new Uint8Array())?.traceparent : null
    }
    expect(await keptBy(true, producer)).toBe(TRACE)
    expect(await keptBy(false, unsampled)).toBe(unsampled)
    expect(await keptBy(false, 'nonsense')).toBe('')
  })
})

describe('settling', () => {
  const one = { items: [{ id: 'm_1_1', token: 100 }] }
  const two = {
    items: [
      { id: 'm_1_1', token: 100 },
      { id: 'm_1_2', token: 101 },
    ],
  }

  test('several items: each says how it went', async () => {
    const { call } = bed()
    const answer = await call('/queues/q/ack', two, { type: 'settled', outcomes: ['', 'STALE_TOKEN'] })
    const results = [
      { id: 'm_1_1', ok: true },
      { id: 'm_1_2', ok: false, code: 'STALE_TOKEN' },
    ]
    expect(answer).toEqual({ status: 200, body: { results } })
  })

  test.each([
    ['STALE_TOKEN', 409],
    ['LEASE_EXPIRED', 410],
    ['NO_SUCH_MESSAGE', 404],
  ] as const)('the only item: its failure is the call’s (%s)', async (code, status) => {
    const { call } = bed()
    for (const verb of ['ack', 'nack']) {
      const answer = await call(`/queues/q/${verb}`, one, { type: 'settled', outcomes: [code] })
      expect(answer).toMatchObject({ status, body: { code, id: 'm_1_1', outcome: 'not-applied' } })
    }
  })

  test('a fence goes along, and its refusal names the highest', async () => {
    const { queued, call } = bed()
    const fence = { resource: 'db', token: 5 }
    const answer = await call('/queues/q/ack', { ...one, fence }, new TricordError('FENCED', 'too low', { highest: 9 }))
    expect(queued[0]?.command).toMatchObject({ type: 'queue_ack', fence, items: one.items })
    expect(answer).toMatchObject({ status: 412, body: { code: 'FENCED', highest: 9 } })
  })

  test('nack and extend: defaults, checkpoints as text', async () => {
    const { queued, call } = bed()
    await call('/queues/q/nack', one, { type: 'settled', outcomes: [''] })
    expect(queued[0]?.command).toMatchObject({ items: [{ delayMs: null, reason: '', countAttempt: true }] })
    const items = [
      { ...two.items[0], visibilityMs: 5, checkpoint: { page: 3 } },
      { ...two.items[1], visibilityMs: 5 },
    ]
    await call('/queues/q/extend', { items }, { type: 'settled', outcomes: ['', ''] })
    expect(queued[1]?.command).toMatchObject({ items: [{ visibilityMs: 5, checkpoint: '{"page":3}' }, { checkpoint: null }] })
  })

  test.each([
    ['ack', { items: [] }, 'items', 400],
    ['ack', { items: [{ id: 'm_1_1' }] }, 'items.0.token', 400],
    ['ack', { items: [{ id: 'm_1_1', token: '1' }] }, 'items.0.token', 400],
    ['ack', { ...one, fence: { resource: 'r' } }, 'fence.token', 400],
    ['nack', { items: [{ id: 'm_1_1', token: 1, delayMs: 1e15 }] }, 'items.0.delayMs', 400],
    ['extend', one, 'items.0.visibilityMs', 400],
    ['extend', { items: [{ id: 'm', token: 1, visibilityMs: 5, checkpoint: 'x'.repeat(5_000) }] }, undefined, 413],
  ])('refused: %s %j', async (verb, body, path, status) => {
    const { queued, call } = bed()
    const answer = await call(`/queues/q/${verb}`, body, { type: 'settled', outcomes: [] })
    expect(answer.status).toBe(status)
    if (path !== undefined) expect(answer.body).toMatchObject({ errors: [{ path }] })
    expect(queued).toEqual([])
  })
})

describe('the queue itself', () => {
  const config = { visibilityMs: 1 } as never

  test('put: 201 where it is new, 200 where it was there', async () => {
    const { queued, call } = bed()
    const body = { visibilityMs: 5, backoff: { baseMs: 1 }, deadLetter: 'q!dlq', ordering: 'none' }
    expect(await call('/queues/q', body, { type: 'put', created: true, config }, {}, 'PUT')).toMatchObject({ status: 201 })
    expect(queued[0]?.command).toEqual({ type: 'queue_put', namespace: 'default', queue: 'q', config: body })
    expect(await call('/queues/q', {}, { type: 'put', created: false, config }, {}, 'PUT')).toEqual({
      status: 200,
      body: { queue: 'q', created: false, config },
    })
  })

  test.each([
    ['a jitter of two', '/queues/q', { backoff: { jitter: 2 } }, 'backoff.jitter'],
    ['a durability that is not kept', '/queues/q', { durability: 'none' }, 'durability'],
    ['a name with a space', '/queues/a%20b', {}, 'queue'],
    ['a name that is too long', `/queues/${'q'.repeat(129)}`, {}, 'queue'],
    ['the name of a dead-letter queue', '/queues/q!dlq', {}, 'queue'],
  ])('put refused: %s', async (_what, path, body, at) => {
    const answer = await bed().call(path, body, { type: 'deleted' }, {}, 'PUT')
    expect(answer).toMatchObject({ status: 400, body: { errors: [{ path: at }] } })
  })

  test('what destroys wants to be confirmed', async () => {
    const { app, clock, queued } = bed()
    for (const path of ['/v1/queues/q', '/v1/queues/q/messages']) {
      for (const query of ['', '?confirm=', '?confirm=other', '?confirm=q&force=1']) {
        expect((await app.request(path + query, { method: 'DELETE' })).status).toBe(400)
      }
    }
    expect(queued).toEqual([])
    const purge = app.request('/v1/queues/q/messages?confirm=q', { method: 'DELETE' })
    await clock.settle()
    queued[0]?.done({ type: 'purged', purged: 3 })
    expect(await (await purge).json()).toEqual({ purged: 3 })
    const gone = app.request('/v1/queues/q?confirm=q', { method: 'DELETE' })
    await clock.settle()
    queued[1]?.done({ type: 'deleted' })
    expect(await (await gone).json()).toEqual({ deleted: true })
    expect(queued.map(({ command }) => command.type)).toEqual(['queue_purge', 'queue_delete'])
  })

  test('redrive', async () => {
    const { queued, call } = bed()
    expect((await call('/queues/q/redrive', { reason: '503' }, { type: 'moved', moved: 2 })).body).toEqual({ moved: 2 })
    expect(queued[0]?.command).toMatchObject({ type: 'queue_redrive', max: QUEUE_LIMITS.redriveMax, reason: '503' })
  })
})

describe('transactions', () => {
  const transacted: Answered = {
    type: 'transacted',
    results: [{ fenced: true }, { acknowledged: 1 }, { enqueued: [{ id: 'm_2_1', deduplicated: false }] }],
    receipt: RECEIPT,
  }

  test('ops in order, as one command', async () => {
    const { queued, call } = bed()
    const items = [{ id: 'm_1_1', token: 1 }]
    const ops = [
      { requireFence: { resource: 'r', token: 4 } },
      { ack: { queue: '{t}a', items } },
      { enqueue: { queue: '{t}b', data: 1, group: 'g' } },
      { enqueue: { queue: '{t}b', messages: [{ data: 2 }, { data: 3 }] } },
    ]
    const answer = await call('/tx', { ops }, transacted)
    expect(answer).toEqual({ status: 200, body: { results: transacted.results, receipt: RECEIPT } })
    expect(queued[0]?.command).toMatchObject({
      type: 'tx',
      ops: [
        { type: 'require_fence', fence: { resource: 'r', token: 4 } },
        { type: 'queue_ack', queue: '{t}a', items, fence: null },
        { type: 'queue_enqueue', queue: '{t}b', messages: [{ group: 'g' }] },
        { type: 'queue_enqueue', queue: '{t}b', messages: [{}, {}] },
      ],
    })
  })

  test('values for caches among them', async () => {
    const { queued, call } = bed()
    const done = { type: 'transacted', results: [{ put: { key: '{t}k', version: 3, created: true } }], receipt: RECEIPT } as const
    const ops = [{ cachePut: { cache: 'c', key: '{t}k', data: { a: 1 }, ttlMs: 500 } }]
    expect(await call('/tx', { ops }, done)).toEqual({ status: 200, body: { results: done.results, receipt: RECEIPT } })
    const value = { value: Buffer.from('{"a":1}'), contentType: 'application/json', ttlMs: 500, slidingMs: 0, tags: [] }
    expect(queued[0]?.command).toEqual({ type: 'tx', ops: [{ type: 'cache_put', namespace: 'default', cache: 'c', key: '{t}k', value }] })
  })

  test.each([
    ['nothing', {}, 'ops'],
    ['no operation', { ops: [] }, 'ops'],
    ['an empty one', { ops: [{}] }, 'ops.0'],
    ['two in one', { ops: [{ ack: {}, enqueue: {} }] }, 'ops.0'],
    ['an unknown one', { ops: [{ dequeue: {} }] }, 'ops.0.dequeue'],
    ['a put without a key', { ops: [{ cachePut: { cache: 'c', data: 1 } }] }, 'ops.0.cachePut.key'],
    ['a put of what is no base64', { ops: [{ cachePut: { cache: 'c', key: 'k', data: '*', encoding: 'base64' } }] }, 'ops.0.cachePut.data'],
    ['an ack without a queue', { ops: [{ ack: { items: [{ id: 'm', token: 1 }] } }] }, 'ops.0.ack.queue'],
    ['data that is not taken', { ops: [{ enqueue: { queue: 'q', data: '*', encoding: 'base64' } }] }, 'ops.0.enqueue.data'],
    [
      'a message that is wrong',
      { ops: [{ enqueue: { queue: 'q', messages: [{ data: 1, ttlMs: -1 }] } }] },
      'ops.0.enqueue.messages.0.ttlMs',
    ],
  ])('refused: %s', async (_what, body, path) => {
    const { queued, call } = bed()
    expect(await call('/tx', body, transacted)).toMatchObject({ status: 400, body: { code: 'INVALID_ARGUMENT', errors: [{ path }] } })
    expect(queued).toEqual([])
  })
})
