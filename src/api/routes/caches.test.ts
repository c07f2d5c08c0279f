/** Caches as a whole over HTTP, over caches that answer as they are told: several entries at once, settings, lines, refusals. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LINE, STATUS, entryOf, readOf } from '../../../test/told-caches.ts'
import { held, toldRoutes, untold } from '../../../test/told-answer.ts'
import { toldGateway } from '../../../test/told-gateway.ts'
import { type ErrorCode, TricordError } from '../../base/errors.ts'
import { CACHE_LIMITS, type Caches, DEFAULT_CONFIG } from '../../cache/types.ts'
import { createApp } from '../app.ts'
import { CACHE_OPERATIONS } from '../cache-openapi.ts'
import { STATUS as STATUS_OF } from '../errors.ts'
import { isBatchPath } from './caches.ts'

function bed() {
  const { cached, gateway } = toldGateway()
  const app = createApp(gateway, { onBug: (error) => expect.unreachable(String(error)) })
  const send = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const response = await app.request(`/v1/caches/${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const answer = { status: response.status, headers: response.headers, body: (await response.json()) as Record<string, unknown> }
    expect(untold(method, `/v1/caches/${path}`, answer.status, answer.body)).toBe('')
    return answer
  }
  const refusal = async (...call: Parameters<typeof send>) => {
    const { status, body } = await send(...call)
    return { status, code: body['code'], path: (body['errors'] as readonly { path: string }[] | undefined)?.[0]?.path }
  }
  return { ...cached, app, send, refusal }
}

const keys = (count: number) => Array.from({ length: count }, (_, at) => `k${at}`)

describe('mget', () => {
  test('JSON as its value, all else as base64, what is not there as not found', async () => {
    const { last, told, send } = bed()
    const json = 'application/json; charset=utf-8'
    told.getMany = [
      readOf(entryOf('{ "a": [1, "ü"] }', { contentType: json, version: 1 })),
      readOf(null),
      readOf(entryOf(Buffer.from([0, 255]), { contentType: 'image/x', version: 2 })),
      readOf(entryOf('{"a":', { contentType: json, version: 3 })),
    ]
    const keys = ['j', 'none', 'b', 'broken']
    const { status, body } = await send('POST', 'c:mget', { keys })
    expect([status, body]).toEqual([
      200,
      {
        entries: [
          { key: 'j', found: true, data: { a: [1, 'ü'] }, encoding: 'json', contentType: json, version: 1 },
          { key: 'none', found: false },
          { key: 'b', found: true, data: 'AP8=', encoding: 'base64', contentType: 'image/x', version: 2 },
          { key: 'broken', found: true, data: 'eyJhIjo=', encoding: 'base64', contentType: json, version: 3 },
        ],
      },
    ])
    expect(last('getMany')).toEqual([{ namespace: 'default', cache: 'c' }, keys, { timeoutMs: 10_000 }])
  })

  test('as many as one call takes, some at a time', async () => {
    const { asked, told, send } = bed()
    told.getMany = Array.from({ length: 64 }, (_, at) => readOf(entryOf('v', { version: at + 1 })))
    const { body } = await send('POST', 'c:mget', { keys: keys(256) })
    expect(asked.flatMap(({ args }) => args[1] as readonly string[])).toEqual(keys(256))
    const entries = body['entries'] as readonly { key: string; version: number }[]
    expect(entries.map(({ key }) => key)).toEqual(keys(256))
    expect(entries.map(({ version }) => version)).toEqual(Array.from({ length: 256 }, (_, at) => (at % 64) + 1))
  })

  test('more than one answer takes is refused, and no more of it read', async () => {
    const { asked, told, refusal } = bed()
    told.getMany = Array.from({ length: 9 }, () => readOf(entryOf(Buffer.alloc(CACHE_LIMITS.valueBytesMax))))
    expect(await refusal('POST', 'c:mget', { keys: [...'abcdefghi'] })).toMatchObject({ status: 413, code: 'TOO_LARGE' })
    expect(await refusal('POST', 'c:mget', { keys: keys(256) })).toMatchObject({ status: 413, code: 'TOO_LARGE' })
    expect(asked).toHaveLength(2)
  })
})

const base64 = (bytes: number) => ({ encoding: 'base64', data: Buffer.alloc(bytes).toString('base64') })

describe('mput', () => {
  test('each entry by itself', async () => {
    const { last, told, send } = bed()
    const results = [
      { key: 'a', version: 4 },
      { key: 'b', code: 'NO_QUORUM', message: 'no leader', outcome: 'not-applied' },
    ] as const
    told.putMany = results
    const entries = [
      { key: 'a', data: { x: 1 }, ttlMs: 5 },
      { key: 'b', data: 'AAH/', encoding: 'base64', contentType: 'image/x', slidingMs: 3, tags: ['t', 't'] },
    ]
    expect(await send('POST', 'c:mput', { entries })).toMatchObject({ status: 200, body: { results } })
    const [, [a, b]] = last('putMany')
    expect(a?.value).toEqual({ value: Buffer.from('{"x":1}'), contentType: 'application/json', ttlMs: 5, slidingMs: 0, tags: [] })
    expect(b?.value).toEqual({ value: Buffer.from([0, 1, 255]), contentType: 'image/x', ttlMs: null, slidingMs: 3, tags: ['t'] })
  })

  const mib = CACHE_LIMITS.valueBytesMax
  test.each([
    ['a value of 1 MiB', [{ key: 'a', ...base64(mib) }], 200],
    ['a byte more', [{ key: 'a', ...base64(mib + 1) }], 413],
    ['JSON whose characters have two bytes', [{ key: 'a', data: 'ü'.repeat(mib / 2) }], 413],
  ])('%s', async (_what, entries, status) => {
    const { asked, send } = bed()
    expect((await send('POST', 'c:mput', { entries })).status).toBe(status)
    expect(asked).toHaveLength(status === 200 ? 1 : 0)
  })
})

test('a batch has room that other bodies have not', async () => {
  const { asked, last, send } = bed()
  const entries = [...'abcdefgh'].map((key) => ({ key, ...base64(CACHE_LIMITS.valueBytesMax) }))
  const body = JSON.stringify({ entries })
  const length = { 'content-length': String(body.length) }
  expect((await send('POST', 'c:mput', body, length)).status).toBe(200)
  expect(last('putMany')[1]).toHaveLength(8)
  const tooLong = [
    send('POST', 'c:mput', { entries: [...entries, ...entries] }),
    send('POST', 'c:mput', '', { 'content-length': '12000001' }),
    send('POST', 'c:mget', body),
    send('POST', 'c:invalidate', body, length),
    send('POST', 'c/entries/k:mput/incr', body, length),
  ]
  for (const { status, body: problem } of await Promise.all(tooLong)) expect([status, problem['code']]).toEqual([413, 'TOO_LARGE'])
  expect(asked).toHaveLength(1)
})

test('invalidate: one of four', async () => {
  const { last, told, send } = bed()
  told.invalidate = { invalidated: 7 }
  for (const what of [{ keys: ['a', 'b'] }, { prefix: 'user/' }, { tags: ['t'] }, { all: true }]) {
    expect(await send('POST', 'c:invalidate', what)).toMatchObject({ status: 200, body: { invalidated: 7 } })
    expect(last('invalidate')[1]).toEqual(what)
  }
})

describe('the verb is behind the last colon', () => {
  test.each([
    ['c:mget', 'c'],
    ['c%3Amget', 'c'],
    ['c%3amget', 'c'],
    ['a:b:mget', 'a:b'],
    ['a:mget:mget', 'a:mget'],
    ['%7Btag%7Dx:mget', '{tag}x'],
  ])('%s', async (path, cache) => {
    const { last, send } = bed()
    expect((await send('POST', path, { keys: ['k'] })).status).toBe(200)
    expect(last('getMany')[0].cache).toBe(cache)
  })

  test('a cache may be called like one', async () => {
    const { last, send } = bed()
    await send('GET', 'a:mget')
    expect(last('status')[0].cache).toBe('a:mget')
  })

  test.each(['c', 'c:drop', ':mget', 'c:mgets', 'c/x:mget'])('POST %s is no call', async (path) => {
    const { asked, send } = bed()
    const { status, body } = await send('POST', path, { keys: ['k'] })
    expect([404, 405]).toContain(status)
    expect(body['code']).toMatch(/NOT_FOUND|INVALID_ARGUMENT/)
    expect(asked).toEqual([])
  })

  test('a batch is told by its path', () => {
    expect(['/v1/caches/c:mput', '/v1/caches/c%3Amput', '/v1/caches/a:b:mput'].every(isBatchPath)).toBe(true)
    expect(['/v1/caches/c:mget', '/v1/caches/c/entries/k:mput', '/caches/c:mput', '/v1/queues/c:mput'].some(isBatchPath)).toBe(false)
  })
})

describe('the cache itself', () => {
  test('settings in, settings out', async () => {
    const { last, told, send } = bed()
    const config = { bytesMax: 65_536, entriesMax: 1, policy: 's3fifo', ttlMs: 0, levels: ['/', '::'], durability: 'writeback' } as const
    told.configure = { created: true, config }
    expect(await send('PUT', 'c', config)).toMatchObject({ status: 201, body: { cache: 'c', created: true, config } })
    expect(last('configure')).toEqual([{ namespace: 'default', cache: 'c' }, config, { timeoutMs: 10_000 }])
    told.configure = { created: false, config: DEFAULT_CONFIG }
    expect(await send('PUT', 'c')).toMatchObject({ status: 200, body: { created: false, config: DEFAULT_CONFIG } })
    expect(last('configure')[1]).toEqual({})
  })

  test('what it is, and who has a key', async () => {
    const { last, send } = bed()
    expect(await send('GET', 'c')).toMatchObject({ status: 200, body: STATUS })
    expect(await send('GET', 'c/lines/a%2Fb')).toMatchObject({ status: 200, body: LINE })
    expect(last('line')[0]).toEqual({ namespace: 'default', cache: 'c', key: 'a/b' })
  })
})

test.each([
  ['settings unknown', 'PUT', 'c', { byteMax: 1 }, 'byteMax'],
  ['too few bytes', 'PUT', 'c', { bytesMax: 1 }, 'bytesMax'],
  ['no entries', 'PUT', 'c', { entriesMax: 0 }, 'entriesMax'],
  ['a policy of another kind', 'PUT', 'c', { policy: 'lfu' }, 'policy'],
  ['five levels', 'PUT', 'c', { levels: ['1', '2', '3', '4', '5'] }, 'levels'],
  ['an empty level', 'PUT', 'c', { levels: [''] }, 'levels.0'],
  ['a level twice', 'PUT', 'c', { levels: ['/', '/'] }, 'levels'],
  ['a durability of another kind', 'PUT', 'c', { durability: 'none' }, 'durability'],
  ['settings in the query', 'PUT', 'c?ttlMs=1', {}, '?ttlMs=1'],
  ['no keys', 'POST', 'c:mget', {}, 'keys'],
  ['an empty list', 'POST', 'c:mget', { keys: [] }, 'keys'],
  ['257 keys', 'POST', 'c:mget', { keys: keys(257) }, 'keys'],
  ['a key of 513 bytes', 'POST', 'c:mget', { keys: ['x'.repeat(513)] }, 'keys.0'],
  ['half of a pair', 'POST', 'c:mget', '{"keys":["\\ud800"]}', 'keys.0'],
  ['an entry without data', 'POST', 'c:mput', { entries: [{ key: 'a' }] }, 'entries.0.data'],
  [
    'an entry twice',
    'POST',
    'c:mput',
    {
      entries: [
        { key: 'a', data: 1 },
        { key: 'a', data: 2 },
      ],
    },
    'entries.1.key',
  ],
  ['257 entries', 'POST', 'c:mput', { entries: keys(257).map((key) => ({ key, data: 1 })) }, 'entries'],
  ['no base64', 'POST', 'c:mput', { entries: [{ key: 'a', data: 'AA=', encoding: 'base64' }] }, 'entries.0.data'],
  ['bytes in JSON', 'POST', 'c:mput', { entries: [{ key: 'a', data: 'AA==', encoding: 'bytes' }] }, 'entries.0.encoding'],
  ['a type of JSON', 'POST', 'c:mput', { entries: [{ key: 'a', data: 1, contentType: 'a/b' }] }, 'entries.0.contentType'],
  [
    'a type with a line break',
    'POST',
    'c:mput',
    { entries: [{ key: 'a', data: '', encoding: 'base64', contentType: 'a\nb' }] },
    'entries.0.contentType',
  ],
  ['a number beyond all numbers', 'POST', 'c:mput', '{"entries":[{"key":"a","data":1e999}]}', 'entries.0.data'],
  ['too deep', 'POST', 'c:mput', `{"entries":[{"key":"a","data":${'['.repeat(51)}${']'.repeat(51)}}]}`, 'entries.0.data'],
  ['nothing to invalidate', 'POST', 'c:invalidate', {}, 'body'],
  ['two things', 'POST', 'c:invalidate', { all: true, keys: ['a'] }, 'body'],
  ['all, but not', 'POST', 'c:invalidate', { all: false }, 'all'],
  ['an empty prefix', 'POST', 'c:invalidate', { prefix: '' }, 'prefix'],
  ['a tag with a comma', 'POST', 'c:invalidate', { tags: ['a,b'] }, 'tags.0'],
  ['a condition', 'POST', 'c:mput', { entries: [{ key: 'a', data: 1 }] }, 'If-Match'],
  ['a name with a space', 'POST', 'a%20b:mget', { keys: ['k'] }, 'cache'],
  ['a query on the status', 'GET', 'c?x=1', undefined, 'x'],
  ['a query on a line', 'GET', 'c/lines/k?x=1', undefined, 'x'],
])('refused: %s', async (_what, method, path, body, at) => {
  const { asked, refusal } = bed()
  const headers: Record<string, string> = at === 'If-Match' ? { 'if-match': '"1"' } : {}
  expect(await refusal(method, path, body, headers)).toEqual({ status: 400, code: 'INVALID_ARGUMENT', path: at })
  expect(asked).toEqual([])
})

/** What each call may be refused with by the caches, besides what the API refuses itself. */
const REFUSALS: readonly (readonly [method: keyof Caches, codes: readonly ErrorCode[], call: readonly [string, string, unknown?]])[] = [
  ['get', ['NO_QUORUM', 'STARTING', 'OVERLOADED'], ['GET', 'c/entries/k']],
  [
    'put',
    [
      'VERSION_MISMATCH',
      'STALE_TOKEN',
      'IDEMPOTENCY_KEY_REUSED',
      'QUOTA',
      'OVERLOADED',
      'NO_QUORUM',
      'READ_ONLY',
      'UNKNOWN_OUTCOME',
      'DISK_LOW',
    ],
    ['PUT', 'c/entries/k', 'v'],
  ],
  ['delete', ['VERSION_MISMATCH', 'IDEMPOTENCY_KEY_REUSED', 'NO_QUORUM', 'UNKNOWN_OUTCOME'], ['DELETE', 'c/entries/k']],
  ['increment', ['INVALID_ARGUMENT', 'IDEMPOTENCY_KEY_REUSED', 'NO_QUORUM', 'UNKNOWN_OUTCOME'], ['POST', 'c/entries/k/incr', {}]],
  ['load', ['OWNER_BUSY', 'NO_QUORUM'], ['POST', 'c/entries/k/load', {}]],
  ['getMany', ['NO_QUORUM'], ['POST', 'c:mget', { keys: ['k'] }]],
  ['putMany', ['IDEMPOTENCY_KEY_REUSED', 'OVERLOADED'], ['POST', 'c:mput', { entries: [{ key: 'k', data: 1 }] }]],
  ['invalidate', ['NO_QUORUM', 'UNKNOWN_OUTCOME'], ['POST', 'c:invalidate', { all: true }]],
  ['configure', ['CONFIG_CONFLICT', 'QUOTA', 'NO_QUORUM'], ['PUT', 'c', {}]],
  ['status', ['NO_QUORUM'], ['GET', 'c']],
  ['line', ['NO_QUORUM'], ['GET', 'c/lines/k']],
]
test.each(REFUSALS.flatMap(([method, codes, call]) => codes.map((code) => [method, code, call] as const)))(
  '%s: %s',
  async (method, code, [verb, path, body]) => {
    const { told, send } = bed()
    Object.assign(told, { [method]: new TricordError(code, 'told so', { version: 3 }) })
    const answer = await send(verb, path, body)
    const outcome = code === 'UNKNOWN_OUTCOME' ? 'unknown' : 'not-applied'
    expect(answer).toMatchObject({ status: STATUS_OF[code], body: { code, outcome, detail: 'told so', version: 3 } })
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(answer.headers.get('retry-after')).toBe([429, 503].includes(answer.status) ? '1' : null)
  },
)

test('what is told is what is there, and every answer is as it is told', async () => {
  const { app, told, send } = bed()
  const routes = app.routes.filter(({ path }) => path.startsWith('/v1/caches'))
  const named = routes.map(
    ({ method, path }) => `${method} ${path.replace(/:call\{.*\)(\w+)\}/, '{cache}:$1').replaceAll(/\/:(\w+)/g, '/{$1}')}`,
  )
  const ofGet = CACHE_OPERATIONS.filter(({ method }) => method !== 'head')
  expect(named.sort()).toEqual(ofGet.map(({ method, path }) => `${method.toUpperCase()} ${path}`).sort())
  told.getMany = [readOf(entryOf('v')), readOf(null)]
  told.putMany = [{ key: 'a', version: 1 }]
  for (const [method, path, body] of [
    ['PUT', 'c/entries/k', 'v'],
    ['POST', 'c/entries/k/incr', {}],
    ['POST', 'c/entries/k/load', {}],
    ['POST', 'c:mget', { keys: ['a', 'b'] }],
    ['POST', 'c:mput', { entries: [{ key: 'a', data: 1 }] }],
    ['POST', 'c:invalidate', { all: true }],
    ['PUT', 'c', {}],
    ['GET', 'c'],
    ['GET', 'c/lines/k'],
  ] as const) {
    expect((await send(method, path, body)).status).toBeLessThan(300)
  }
  expect(toldRoutes('Caches').filter((route) => !held.has(route))).toEqual([])
})

test('several under one key: the cache’s own, and of one meaning', async () => {
  const { asked, send } = bed()
  const key = { 'idempotency-key': 'k' }
  const entries = [{ key: 'a', data: 1 }]
  for (const [path, body] of [
    ['c:mput', { entries }],
    ['c:mput', { entries: [{ data: 1, key: 'a' }] }],
    ['c:mput', { entries: [{ key: 'a', data: 2 }] }],
    ['c:invalidate', { all: true }],
    ['d:mput', { entries }],
  ] as const) {
    await send('POST', path, body, key)
  }
  const [once, again, other, verb, cache] = asked.map(
    ({ args }) => (args.at(-1) as { idempotencyKey: { key: string; fingerprint: string } }).idempotencyKey,
  )
  expect(again).toEqual(once)
  expect([other?.key, verb?.key]).toEqual([once?.key, once?.key])
  expect(new Set([once, other, verb].map((one) => one?.fingerprint)).size).toBe(3)
  expect(cache?.key).not.toBe(once?.key)
})

test('whatever comes, the answer is never a 500', async () => {
  const { told, send } = bed()
  const type = fc.oneof(fc.constantFrom('application/json', 'text/plain'), fc.string())
  const bytes = fc.oneof(
    fc.uint8Array(),
    fc.json().map((text) => Buffer.from(text)),
  )
  const segment = fc.oneof(
    fc.constantFrom('c', 'k', 'c:mget', 'c:mput', 'c:invalidate', 'entries', 'lines', 'incr', 'load'),
    fc.string({ unit: 'binary' }),
  )
  const path = fc
    .array(segment, { minLength: 1, maxLength: 4 })
    .map((steps) => steps.map((step) => encodeURIComponent(wellFormed(step))).join('/'))
  const value = fc.record(
    { data: fc.jsonValue({ maxDepth: 60 }), encoding: fc.constantFrom('json', 'base64', 'bytes'), tags: fc.array(fc.string()) },
    { requiredKeys: [] },
  )
  const body = fc.oneof(
    fc.json(),
    fc.record({ keys: fc.array(fc.string()), tags: fc.array(fc.string()), prefix: fc.string(), all: fc.boolean() }, { requiredKeys: [] }),
    fc.array(fc.tuple(fc.string(), value), { maxLength: 3 }).map((list) => ({ entries: list.map(([key, more]) => ({ key, ...more })) })),
  )
  const calls = fc.record({
    method: fc.constantFrom('GET', 'PUT', 'POST', 'DELETE'),
    path: fc.oneof(path, fc.constantFrom('c', 'c:mget', 'c:mput', 'c:invalidate', 'c/entries/k', 'c/entries/k/load', 'c/entries/k/incr')),
    query: fc.oneof(
      fc.constant(''),
      fc.webQueryParameters().map((query) => `?${query}`),
    ),
    body,
    header: fc.constantFrom('if-match', 'if-none-match', 'content-type', 'idempotency-key', 'tricord-namespace'),
    text: fc.string({ unit: fc.integer({ min: 32, max: 126 }).map((code) => String.fromCharCode(code)) }),
  })
  await fc.assert(
    fc.asyncProperty(calls, type, bytes, async ({ method, path: at, query, body: sent, header, text }, contentType, stored) => {
      const isHeader = /^[\x20-\x7e]*$/.test(contentType)
      told.get = readOf(entryOf(stored, { contentType: isHeader ? contentType : 'a/b' }))
      told.getMany = [told.get]
      const response = await respond(send, method, `${at}${query}`, sent, { [header]: text })
      expect(response).toBeLessThan(500)
    }),
    { numRuns: 600 },
  )
})

const wellFormed = (text: string) => text.replaceAll(/\p{Surrogate}/gu, '?')

/** Its status; values come back as they are, which is not always JSON. */
async function respond(send: ReturnType<typeof bed>['send'], method: string, path: string, body: unknown, headers: Record<string, string>) {
  try {
    return (await send(method, path, method === 'GET' ? undefined : body, headers)).status
  } catch (error) {
    if (error instanceof SyntaxError) return 200
    throw error
  }
}
