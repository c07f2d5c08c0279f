/** Caches over a real cluster of three in memory: whole stories over its nodes, one refusal per code, and every kind of bad input. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openSocket } from '../../test/socket-client.ts'
import { untold } from '../../test/told-answer.ts'
import { CACHE_LIMITS } from '../cache/types.ts'
import { type EmbeddedCluster, startEmbedded } from '../embedded.ts'

const bugs: unknown[] = []
let cluster: EmbeddedCluster
beforeAll(async () => {
  cluster = await startEmbedded({
    nodes: 3,
    port: 0,
    data: null,
    sets: ['cluster.partitions=4', 'consensus.segment_bytes=4194304'],
    onBug: (error) => bugs.push(error),
    onDiskFatal: (error) => bugs.push(error),
  })
})
afterAll(async () => {
  await cluster.stop()
  expect(bugs).toEqual([])
})

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly bytes: Buffer
  readonly body: Record<string, any> // oxlint-disable-line typescript/no-explicit-any -- looked into below
}
type Body = string | Uint8Array<ArrayBuffer>

/** Below /v1/caches, at node n1, n2 or n3. */
async function at(node: 1 | 2 | 3, method: string, path: string, body?: Body, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(`${cluster.nodes[node - 1]?.url}/v1/caches/${path}`, {
    method,
    headers,
    ...(body !== undefined && { body }),
  })
  const bytes = Buffer.from(await response.arrayBuffer())
  const isJson = response.headers.get('content-type')?.includes('json') && bytes.length > 0
  const parsed: unknown = isJson ? parsedOr(String(bytes)) : {}
  const isValue = response.headers.has('content-security-policy')
  if (isJson && !isValue) expect(untold(method, `/v1/caches/${path}`, response.status, parsed)).toBe('')
  return { status: response.status, headers: response.headers, bytes, body: parsed as Answer['body'] }
}
const parsedOr = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}

const JSON_TYPE = { 'content-type': 'application/json' }
const put = (path: string, body: Body = 'v', headers: Record<string, string> = {}) => at(1, 'PUT', path, body, headers)
const post = (path: string, body: unknown = {}, headers: Record<string, string> = {}) =>
  at(1, 'POST', path, JSON.stringify(body), { ...JSON_TYPE, ...headers })
const get = (node: 1 | 2 | 3, path: string, headers: Record<string, string> = {}) => at(node, 'GET', path, undefined, headers)
/** A lease that ran out on a busy machine makes a miss of a hit, once. */
const PATIENCE = { timeout: 20_000 }
const EVERYWHERE = [1, 2, 3] as const

describe('stories', () => {
  test('whatever bytes, of whatever type, on every node; read again they are a hit', async () => {
    const value = Uint8Array.from({ length: 5_000 }, (_, nth) => nth % 256)
    const key = 'story/entries/%00k%C3%A4se%2F%F0%9F%A7%80'
    const written = await put(key, value, { 'content-type': 'image/x; a="b"' })
    expect([written.status, written.headers.get('etag')]).toEqual([201, `"${written.body['version']}"`])
    expect(written.body['key']).toBe('\0käse/🧀')
    for (const node of EVERYWHERE) {
      const read = async () => {
        const got = await get(node, key)
        expect([got.status, Buffer.compare(got.bytes, value), got.headers.get('content-type')]).toEqual([200, 0, 'image/x; a="b"'])
        expect(got.headers.get('etag')).toBe(written.headers.get('etag'))
        return [got.headers.get('tricord-cache'), got.headers.get('tricord-line')]
      }
      expect(await read()).toEqual(['miss', 'I'])
      await expect.poll(read, PATIENCE).toEqual(['hit', 'S'])
    }
  })

  test('once a write is answered no node answers what was before', async () => {
    for (let nth = 0; nth < 30; nth++) {
      const writer = EVERYWHERE[nth % 3] ?? 1
      expect((await at(writer, 'PUT', 'fresh/entries/k', String(nth))).status).toBe(nth === 0 ? 201 : 200)
      const seen = await Promise.all(EVERYWHERE.map(async (node) => String((await get(node, 'fresh/entries/k')).bytes)))
      expect(seen).toEqual([String(nth), String(nth), String(nth)])
    }
  })

  test('1 MiB, to every node; a byte more is nobody’s', async () => {
    const value = Buffer.alloc(CACHE_LIMITS.valueBytesMax, 0xa5)
    expect((await put('large/entries/k', value)).status).toBe(201)
    for (const node of EVERYWHERE) expect(Buffer.compare((await get(node, 'large/entries/k')).bytes, value)).toBe(0)
    expect(await put('large/entries/k', Buffer.alloc(CACHE_LIMITS.valueBytesMax + 1))).toMatchObject({
      status: 413,
      body: { code: 'TOO_LARGE' },
    })
    expect((await get(2, 'large/entries/k')).status).toBe(200)
  })

  test('a batch of 8 MiB, and back', async () => {
    const entries = [...'abcdefgh'].map((key) => ({
      key,
      encoding: 'base64',
      data: Buffer.alloc(CACHE_LIMITS.valueBytesMax, key).toString('base64'),
    }))
    const { status, body } = await post('batch:mput', { entries })
    expect([status, body['results'].map(({ key }: { key: string }) => key)]).toEqual([200, [...'abcdefgh']])
    const read = await at(3, 'POST', 'batch:mget', JSON.stringify({ keys: [...'abcdefgh', 'none'] }), JSON_TYPE)
    expect(read.body['entries'].at(-1)).toEqual({ key: 'none', found: false })
    for (const [nth, { data }] of entries.entries())
      expect(read.body['entries'][nth]).toMatchObject({ found: true, encoding: 'base64', data })
    await put('batch/entries/i', 'one too many')
    expect(await post('batch:mget', { keys: [...'abcdefgh', 'i'] })).toMatchObject({ status: 413 })
  })

  test('versions: 304, If-Match, If-None-Match', async () => {
    const first = (await put('versions/entries/k')).headers.get('etag') ?? ''
    for (const node of EVERYWHERE)
      expect((await get(node, 'versions/entries/k', { 'if-none-match': `W/${first}, "1000000"` })).status).toBe(304)
    expect((await at(2, 'HEAD', 'versions/entries/k')).headers.get('content-length')).toBe('1')
    const second = await put('versions/entries/k', 'w', { 'if-match': first })
    expect(second.status).toBe(200)
    expect(await put('versions/entries/k', 'x', { 'if-match': first })).toMatchObject({
      status: 412,
      body: { code: 'VERSION_MISMATCH', version: second.body['version'] },
    })
    expect(await put('versions/entries/k', 'x', { 'if-none-match': '*' })).toMatchObject({ status: 412 })
    expect(await put('versions/entries/none', 'x', { 'if-match': '*' })).toMatchObject({ status: 412, body: { version: 0 } })
    expect((await put('versions/entries/none', 'x', { 'if-none-match': '*' })).status).toBe(201)
    expect((await at(3, 'DELETE', 'versions/entries/k', undefined, { 'if-match': first })).status).toBe(412)
    expect((await at(3, 'DELETE', 'versions/entries/k', undefined, { 'if-match': second.headers.get('etag') ?? '' })).status).toBe(204)
    for (const node of EVERYWHERE) expect((await get(node, 'versions/entries/k')).status).toBe(404)
    expect((await at(1, 'DELETE', 'versions/entries/k')).status).toBe(204)
  })

  test('a number, from all sides', async () => {
    const values = await Promise.all(
      Array.from(
        { length: 12 },
        async (_, nth) => (await at(EVERYWHERE[nth % 3] ?? 1, 'POST', 'count/entries/n/incr')).body['value'] as number,
      ),
    )
    expect(values.sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, nth) => nth + 1))
    expect((await post('count/entries/n/incr', { by: -20 })).body['value']).toBe(-8)
    expect(String((await get(2, 'count/entries/n')).bytes)).toBe('-8')
    await put('count/entries/text', '41')
    expect((await post('count/entries/text/incr')).body['value']).toBe(42)
  })

  test('tags and declared prefixes go at once, keys and all too', async () => {
    await at(1, 'PUT', 'drop', '{"levels":["/"]}', JSON_TYPE)
    const fill = async () => {
      for (const key of ['a%2F1', 'a%2F2', 'b%2F1']) await put(`drop/entries/${key}?tags=t${key.at(-1)}`)
    }
    const left = async (node: 1 | 2 | 3) => {
      const { body } = await at(node, 'POST', 'drop:mget', '{"keys":["a/1","a/2","b/1"]}', JSON_TYPE)
      return (body['entries'] as readonly { key: string; found: boolean }[]).filter(({ found }) => found).map(({ key }) => key)
    }
    for (const [what, kept] of [
      [{ tags: ['t1'] }, ['a/2']],
      [{ prefix: 'a/' }, ['b/1']],
      [{ prefix: 'a/2' }, ['a/1', 'b/1']],
      [{ keys: ['a/1', 'none'] }, ['a/2', 'b/1']],
      [{ all: true }, []],
    ] as const) {
      await fill()
      for (const node of EVERYWHERE) expect(await left(node)).toHaveLength(3)
      expect(await post('drop:invalidate', what)).toMatchObject({ status: 200, body: { invalidated: 3 - kept.length } })
      for (const node of EVERYWHERE) expect([what, node, await left(node)]).toEqual([what, node, kept])
    }
  })

  test('one loads, the others wait for it', async () => {
    const granted = await at(1, 'POST', 'load/entries/k/load', '{"waitMs":1000}', JSON_TYPE)
    expect([granted.status, granted.body]).toEqual([202, { loadToken: expect.any(String), leaseMs: expect.any(Number) }])
    const waiting = at(2, 'POST', 'load/entries/k/load', '{"waitMs":20000}', JSON_TYPE)
    expect(await post('load/entries/k/load')).toMatchObject({ status: 409, body: { code: 'OWNER_BUSY' } })
    const refused = { 'if-match': '"7"', 'idempotency-key': 'refused' }
    for (const _ of [1, 2]) expect((await put(`load/entries/k?loadToken=${granted.body['loadToken']}`, 'x', refused)).status).toBe(412)
    expect((await put(`load/entries/k?loadToken=${granted.body['loadToken']}`, 'loaded')).status).toBe(201)
    const waited = await waiting
    expect([waited.status, String(waited.bytes), waited.headers.has('etag')]).toEqual([200, 'loaded', true])
    const late = await put(`load/entries/k?loadToken=${granted.body['loadToken']}`, 'late')
    expect(late).toMatchObject({ status: 409, body: { code: 'STALE_TOKEN' } })
    expect(String((await get(3, 'load/entries/k')).bytes)).toBe('loaded')
  })

  test('a write under a key has one effect, on whichever node it is repeated, over WebSocket too', async () => {
    const headers = { 'idempotency-key': 'once', 'content-type': 'application/json' }
    const first = await at(1, 'PUT', 'idem/entries/k', '{"a":1}', headers)
    await put('idem/entries/k', 'between')
    for (const node of EVERYWHERE) {
      const again = await at(node, 'PUT', 'idem/entries/k', '{"a":1}', headers)
      expect([again.status, again.body]).toEqual([first.status, first.body])
    }
    const client = await openSocket(`${cluster.nodes[2]?.url.replace('http', 'ws')}/v1/ws`, 'tricord.v1.json')
    const repeated = await client.result('cache.put', { cache: 'idem', key: 'k', data: { a: 1 }, idempotencyKey: 'once' })
    expect(repeated).toEqual({ ...first.body, created: true })
    await client.close()
    expect(String((await get(2, 'idem/entries/k')).bytes)).toBe('between')
    expect(await at(2, 'PUT', 'idem/entries/k', '{"a":2}', headers)).toMatchObject({
      status: 422,
      body: { code: 'IDEMPOTENCY_KEY_REUSED' },
    })
    expect((await at(2, 'PUT', 'idem/entries/other', '{"a":2}', headers)).status).toBe(201)
  })

  test.each([['all', { all: true }] as const, ['prefix', { prefix: 'a' }] as const, ['tags', { tags: ['t'] }] as const])(
    'an invalidation (%s) that is repeated under its key leaves what was put since',
    async (kind, what) => {
      const headers = { ...JSON_TYPE, 'idempotency-key': `invalidated-${kind}` }
      const invalidate = (node: 1 | 2 | 3) => at(node, 'POST', `again:invalidate`, JSON.stringify(what), headers)
      await put('again/entries/a?tags=t', 'old')
      expect((await invalidate(1)).body).toEqual({ invalidated: 1 })
      await put('again/entries/a', 'new')
      for (const node of EVERYWHERE) expect((await invalidate(node)).body).toEqual({ invalidated: 1 })
      expect(String((await get(2, 'again/entries/a')).bytes)).toBe('new')
      await at(1, 'DELETE', 'again/entries/a')
    },
  )

  test('what became of a call under a key, the call tells that repeats it; /requests knows those about locks alone', async () => {
    const key = { 'idempotency-key': 'told' }
    const first = await put('told/entries/k', 'v', key)
    const granted = await post('told/entries/report/load', {}, key)
    expect([first.status, granted.status]).toEqual([201, 202])
    expect(granted.headers.has('location')).toBe(false)
    expect((await fetch(`${cluster.nodes[1]?.url}/v1/requests/told`)).status).toBe(404)
    expect((await at(2, 'PUT', 'told/entries/k', 'v', key)).body).toEqual(first.body)
    expect((await at(3, 'POST', 'told/entries/report/load', '{}', { ...JSON_TYPE, ...key })).body).toEqual(granted.body)
  })

  test('who hangs up while waiting for a load is out of the line', async () => {
    const granted = await post('left/entries/k/load')
    const leaving = new AbortController()
    const left = fetch(`${cluster.nodes[1]?.url}/v1/caches/left/entries/k/load`, {
      method: 'POST',
      headers: JSON_TYPE,
      body: '{"waitMs":20000}',
      signal: leaving.signal,
    })
    const patient = at(3, 'POST', 'left/entries/k/load', '{"waitMs":20000}', JSON_TYPE)
    leaving.abort()
    await expect(left).rejects.toThrow('abort')
    expect((await at(1, 'DELETE', 'left/entries/k')).status).toBe(204)
    const next = await patient
    expect([next.status, Number(next.body['loadToken']) > Number(granted.body['loadToken'])]).toEqual([202, true])
  })

  test('what has a time goes, on every node', async () => {
    await put('time/entries/k?ttlMs=150')
    for (const node of EVERYWHERE) await get(node, 'time/entries/k')
    for (const node of EVERYWHERE) await expect.poll(async () => (await get(node, 'time/entries/k')).status, PATIENCE).toBe(404)
    expect((await put('time/entries/k')).status).toBe(201)
  })

  test('namespaces see their own', async () => {
    await put('spaces/entries/k', 'default')
    await put('spaces/entries/k', 'other', { 'tricord-namespace': 'other' })
    expect(String((await get(2, 'spaces/entries/k')).bytes)).toBe('default')
    expect(String((await get(2, 'spaces/entries/k', { 'tricord-namespace': 'other' })).bytes)).toBe('other')
  })

  test('the cache tells what it is, and who has a key', async () => {
    const config = { bytesMax: 65_536, entriesMax: 100, policy: 'lru', ttlMs: 0, levels: ['/'], durability: 'quorum' }
    expect(await at(1, 'PUT', 'told', JSON.stringify(config), JSON_TYPE)).toMatchObject({
      status: 201,
      body: { cache: 'told', created: true, config },
    })
    expect(await at(2, 'PUT', 'told', '{"ttlMs":60000}', JSON_TYPE)).toMatchObject({
      status: 200,
      body: { created: false, config: { ...config, ttlMs: 60_000 } },
    })
    const { version } = (await put('told/entries/k')).body
    await expect.poll(async () => (await get(2, 'told/entries/k')).headers.get('tricord-cache'), PATIENCE).toBe('hit')
    expect(await get(3, 'told')).toMatchObject({ status: 200, body: { cache: 'told', entries: 1, hits: 1, config: { ttlMs: 60_000 } } })
    const line = await get(1, 'told/lines/k')
    expect(line).toMatchObject({ status: 200, body: { key: 'k', version, busy: false, nodes: { n2: expect.stringMatching(/S|I/) } } })
    const explained = await fetch(`${cluster.nodes[0]?.url}/v1/ring/explain?cache=told&key=k`)
    expect(await explained.json()).toMatchObject({ partition: line.body['partition'], leader: line.body['home'] })
  })
})

describe.each(['tricord.v1.json', 'tricord.v1.msgpack'])('over %s', (protocol) => {
  test('put, get, incr, delete', async () => {
    const client = await openSocket(`${cluster.nodes[1]?.url.replace('http', 'ws')}/v1/ws`, protocol)
    const cache = `ws-${protocol}`
    const { version } = await client.result('cache.put', { cache, key: 'k', data: { a: [1, null] }, tags: ['t'] })
    const json = { data: { a: [1, null] }, encoding: 'json', contentType: 'application/json', version }
    await expect.poll(() => client.result('cache.get', { cache, key: 'k' }), PATIENCE).toEqual({ ...json, line: 'S', cache: 'hit' })
    expect(await client.call('cache.put', { cache, key: 'k', data: 1, ifMatch: version + 1 })).toMatchObject({
      error: { code: 'VERSION_MISMATCH', version },
    })
    const isBinary = protocol.endsWith('msgpack')
    await client.result('cache.put', {
      cache,
      key: 'b',
      data: isBinary ? Buffer.from([0, 255]) : 'AP8=',
      ...(!isBinary && { encoding: 'base64' }),
    })
    const bytes = await client.result('cache.get', { cache, key: 'b' })
    expect([bytes['encoding'], isBinary ? [...bytes['data']] : bytes['data']]).toEqual(isBinary ? ['bytes', [0, 255]] : ['base64', 'AP8='])
    expect(await client.result('cache.incr', { cache, key: 'n', by: 3 })).toMatchObject({ value: 3 })
    expect(await client.result('cache.delete', { cache, key: 'k' })).toMatchObject({ existed: true })
    expect(await client.result('cache.delete', { cache, key: 'k' })).toMatchObject({ existed: false })
    expect(await client.call('cache.get', { cache, key: 'k' })).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } })
    await client.close()
  })

  test('1 MiB', async () => {
    const client = await openSocket(`${cluster.nodes[2]?.url.replace('http', 'ws')}/v1/ws`, protocol)
    const value = Buffer.alloc(CACHE_LIMITS.valueBytesMax, 0xa5)
    const data = protocol.endsWith('msgpack') ? value : value.toString('base64')
    await client.result('cache.put', {
      cache: `large-${protocol}`,
      key: 'k',
      data,
      ...(typeof data === 'string' && { encoding: 'base64' }),
    })
    const got = await client.result('cache.get', { cache: `large-${protocol}`, key: 'k' })
    expect(Buffer.compare(typeof got['data'] === 'string' ? Buffer.from(got['data'], 'base64') : got['data'], value)).toBe(0)
    await client.close()
  })
})

describe('one refusal per code', () => {
  const cases: readonly (readonly [code: string, status: number, run: () => Promise<Answer>])[] = [
    ['INVALID_ARGUMENT', 400, () => put(`r/entries/${'x'.repeat(513)}`)],
    [
      'INVALID_ARGUMENT',
      400,
      async () => {
        await put('r/entries/text', 'four')
        return post('r/entries/text/incr')
      },
    ],
    [
      'INVALID_ARGUMENT',
      400,
      async () => {
        await put('r/entries/beyond', '9007199254740993')
        return post('r/entries/beyond/incr', { by: -2 })
      },
    ],
    [
      'INVALID_ARGUMENT',
      400,
      async () => {
        await put('r/entries/max', String(Number.MAX_SAFE_INTEGER))
        return post('r/entries/max/incr')
      },
    ],
    ['NOT_FOUND', 404, () => get(2, 'r/entries/none')],
    [
      'OWNER_BUSY',
      409,
      async () => {
        await post('r/entries/busy/load')
        return post('r/entries/busy/load')
      },
    ],
    ['STALE_TOKEN', 409, () => put('r/entries/k?loadToken=nonsense')],
    ['STALE_TOKEN', 409, () => put(`r/entries/k?loadToken=${Number.MAX_SAFE_INTEGER}`)],
    [
      'STALE_TOKEN',
      409,
      async () => {
        const { body } = await post('r/entries/stale/load')
        await put('r/entries/stale')
        return put(`r/entries/stale?loadToken=${body['loadToken']}`)
      },
    ],
    [
      'STALE_TOKEN',
      409,
      async () => {
        // What was invalidated while it was loaded must not come back.
        const { body } = await post('r/entries/tagged/load', { tags: ['t'] })
        await post('r:invalidate', { tags: ['t'] })
        const late = await put(`r/entries/tagged?loadToken=${body['loadToken']}&tags=t`)
        return late.status === 409 ? late : get(1, 'r/entries/tagged')
      },
    ],
    [
      'VERSION_MISMATCH',
      412,
      async () => {
        // That of another key.
        const { headers } = await put('r/entries/one')
        await put('r/entries/other')
        await put('r/entries/other')
        return put('r/entries/other', 'v', { 'if-match': headers.get('etag') ?? '' })
      },
    ],
    ['TOO_LARGE', 413, () => put('r/entries/k', Buffer.alloc(CACHE_LIMITS.valueBytesMax + 1))],
    ['UNSUPPORTED_TYPE', 415, () => put('r/entries/k', 'v', { 'content-encoding': 'gzip' })],
    ['UNSUPPORTED_TYPE', 415, () => at(1, 'POST', 'r:mget', '{"keys":["k"]}', { 'content-type': 'text/plain' })],
    [
      'IDEMPOTENCY_KEY_REUSED',
      422,
      async () => {
        await put('r/entries/key', 'a', { 'idempotency-key': 'r' })
        return put('r/entries/key', 'b', { 'idempotency-key': 'r' })
      },
    ],
  ]
  test.each(cases)('%s', async (code, status, run) => {
    expect(await run()).toMatchObject({ status, body: { code, status, outcome: 'not-applied', title: expect.any(String) } })
  })
})

test('whatever comes, the answer is never a 500', async () => {
  const key = fc.oneof(fc.constantFrom('a', 'b'), fc.string({ unit: 'grapheme', minLength: 1 }))
  const step = key.map((text) => encodeURIComponent(text.replaceAll(/\p{Surrogate}/gu, '?')))
  const value = fc.oneof(
    fc.uint8Array(),
    fc.json().map((text) => new TextEncoder().encode(text)),
  )
  const type = fc.constantFrom('application/json', 'text/plain', 'a/b; c', '')
  const condition = fc.oneof(
    fc.constantFrom('*', '"1"', 'W/"2"', '"3", "4"', '5', '""'),
    fc.nat(30).map((version) => `"${version}"`),
  )
  const node = fc.constantFrom(...EVERYWHERE)
  const tags = fc.uniqueArray(fc.constantFrom('t', 'u', 'ü'))
  const calls = fc.oneof(
    fc.tuple(
      node,
      fc.constant('PUT'),
      fc.tuple(step, fc.nat(1_000), tags).map(([k, ttl, t]) => `f/entries/${k}?ttlMs=${ttl}${t.length > 0 ? `&tags=${t.join(',')}` : ''}`),
      value,
    ),
    fc.tuple(
      node,
      fc.constantFrom('GET', 'DELETE', 'HEAD'),
      step.map((k) => `f/entries/${k}`),
      fc.constant(undefined),
    ),
    fc.tuple(
      node,
      fc.constant('POST'),
      fc.tuple(step, fc.constantFrom('incr', 'load')).map(([k, verb]) => `f/entries/${k}/${verb}`),
      fc.constant(undefined),
    ),
    fc.tuple(
      node,
      fc.constant('GET'),
      step.map((k) => `f/lines/${k}`),
      fc.constant(undefined),
    ),
    fc.tuple(
      node,
      fc.constant('POST'),
      fc.constantFrom('f:mget', 'f:mput', 'f:invalidate'),
      fc
        .oneof(
          fc.record({ keys: fc.array(key, { maxLength: 3 }) }),
          fc.record({ entries: fc.array(fc.record({ key, data: fc.jsonValue() }), { maxLength: 3 }) }),
          fc.constantFrom({ tags: ['t'] }, { prefix: 'a' }, { all: true }),
        )
        .map((body) => new TextEncoder().encode(JSON.stringify(body))),
    ),
    fc.tuple(
      node,
      fc.constant('PUT'),
      fc.constant('f'),
      fc
        .constantFrom('{"levels":["/"]}', '{"bytesMax":65536}', '{"entriesMax":3}', '{"policy":"s3fifo"}')
        .map((text) => new TextEncoder().encode(text)),
    ),
  )
  await fc.assert(
    fc.asyncProperty(calls, type, fc.option(condition), fc.boolean(), async ([where, method, path, body], contentType, header, onMatch) => {
      const isJson = path.startsWith('f:') || path === 'f'
      const headers: Record<string, string> = { 'content-type': isJson ? 'application/json' : contentType }
      if (header !== null) headers[onMatch ? 'if-match' : 'if-none-match'] = header
      const answer = await at(where, method, path, body, headers)
      expect([method, path, answer.status < 500 ? 'fine' : answer.body]).toEqual([method, path, 'fine'])
    }),
    { numRuns: 400 },
  )
})
