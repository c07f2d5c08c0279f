/** Entries over HTTP, over caches that answer as they are told: what goes in, what comes out, and every way to say it wrong. */
import { describe, expect, test } from 'vitest'
import { entryOf, readOf } from '../../../test/told-caches.ts'
import { toldGateway } from '../../../test/told-gateway.ts'
import { TricordError } from '../../base/errors.ts'
import { CACHE_LIMITS, type LoadOutcome } from '../../cache/types.ts'
import { createApp } from '../app.ts'

const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

function bed() {
  const { clock, cached, gateway } = toldGateway()
  const app = createApp(gateway, { onBug: (error) => expect.unreachable(String(error)) })
  const send = async (method: string, path: string, body?: string | Uint8Array<ArrayBuffer> | null, headers: Record<string, string> = {}) =>
    app.request(`/v1/caches/${path}`, { method, headers, ...(body != null && { body }) })
  const refusal = async (...call: Parameters<typeof send>) => {
    const response = await send(...call)
    const { code, errors } = (await response.json()) as { code: string; errors?: readonly { path: string; message: string }[] }
    return { status: response.status, code, path: errors?.[0]?.path }
  }
  return { app, clock, ...cached, send, refusal }
}

const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer())

describe('put', () => {
  test('the body as it came, its type, its members', async () => {
    const { last, send } = bed()
    const body = Buffer.from([0, 255, 0, 10, 13, 0])
    const response = await send('PUT', 'c/entries/k?ttlMs=5&slidingMs=7&tags=a,b,a&loadToken=l_9', body, {
      'content-type': 'image/x; q="u"',
    })
    expect([response.status, response.headers.get('etag'), await response.json()]).toEqual([201, '"1"', { key: 'k', version: 1 }])
    const [name, value, condition, loadToken, options] = last('put')
    expect([name, condition, loadToken]).toEqual([{ namespace: 'default', cache: 'c', key: 'k' }, null, 'l_9'])
    expect(value).toMatchObject({ contentType: 'image/x; q="u"', ttlMs: 5, slidingMs: 7, tags: ['a', 'b'] })
    expect(Buffer.from(value.value)).toEqual(body)
    expect(options).toEqual({ timeoutMs: 10_000 })
  })

  test('nothing at all is a value; what is not said is the cache’s', async () => {
    const { last, told, send } = bed()
    told.put = { version: 2, created: false }
    const response = await send('PUT', 'c/entries/k')
    expect([response.status, response.headers.get('etag')]).toEqual([200, '"2"'])
    const [, { value, ...rest }, condition, loadToken] = last('put')
    expect([value.length, rest]).toEqual([0, { contentType: 'application/octet-stream', ttlMs: null, slidingMs: 0, tags: [] }])
    expect([condition, loadToken]).toEqual([null, null])
    await send('PUT', 'c/entries/k?ttlMs=0')
    expect(last('put')[1].ttlMs).toBe(0)
  })

  test.each([
    ['a%2Fb', 'a/b'],
    ['a%252Fb', 'a%2Fb'],
    ['a%25b', 'a%b'],
    ['%00%0A%7f', '\0\n\x7f'],
    ['k%C3%A4se%F0%9F%A7%80', 'käse🧀'],
    ['a%20b+c', 'a b+c'],
    ['%3Fx=1%23y', '?x=1#y'],
    ['a:b;c=d,e', 'a:b;c=d,e'],
    ['x'.repeat(512), 'x'.repeat(512)],
    ['%C3%A4'.repeat(256), 'ä'.repeat(256)],
  ])('key %s', async (path, key) => {
    const { last, send } = bed()
    expect((await send('PUT', `c/entries/${path}`, 'v')).status).toBe(201)
    expect(last('put')[0].key).toBe(key)
    await send('GET', `c/entries/${path}`)
    expect(last('get')[0].key).toBe(key)
  })

  test.each([
    ['513 bytes', 'x'.repeat(513)],
    ['513 bytes of fewer characters', `x${'%C3%A4'.repeat(256)}`],
  ])('a key of %s is refused, whatever the call', async (_what, key) => {
    const { asked, refusal } = bed()
    for (const [method, path] of [
      ['PUT', `c/entries/${key}`],
      ['GET', `c/entries/${key}`],
      ['DELETE', `c/entries/${key}`],
      ['POST', `c/entries/${key}/incr`],
      ['POST', `c/entries/${key}/load`],
      ['GET', `c/lines/${key}`],
    ] as const) {
      expect(await refusal(method, path)).toEqual({ status: 400, code: 'INVALID_ARGUMENT', path: 'key' })
    }
    expect(asked).toEqual([])
  })

  test('1 MiB is taken, a byte more is not', async () => {
    const { asked, last, send, refusal } = bed()
    const max = CACHE_LIMITS.valueBytesMax
    expect((await send('PUT', 'c/entries/k', Buffer.alloc(max, 7))).status).toBe(201)
    expect(last('put')[1].value.length).toBe(max)
    expect(await refusal('PUT', 'c/entries/k', Buffer.alloc(max + 1))).toMatchObject({ status: 413, code: 'TOO_LARGE' })
    expect(await refusal('PUT', 'c/entries/k', Buffer.alloc(max + 1), { 'content-length': String(max + 1) })).toMatchObject({ status: 413 })
    expect(asked).toHaveLength(1)
  })

  test('conditions', async () => {
    const { last, told, send, refusal } = bed()
    await send('PUT', 'c/entries/k', 'v', { 'if-match': '"17"' })
    expect(last('put')[2]).toBe(17)
    await send('PUT', 'c/entries/k', 'v', { 'if-match': '*' })
    expect(last('put')[2]).toBe('present')
    await send('PUT', 'c/entries/k', 'v', { 'if-none-match': '*' })
    expect(last('put')[2]).toBe('absent')
    // The version of another key: it is the key's home that knows.
    told.put = new TricordError('VERSION_MISMATCH', 'it has another version', { version: 18 })
    const response = await send('PUT', 'c/entries/other', 'v', { 'if-match': '"17"' })
    expect([response.status, await response.json()]).toMatchObject([412, { code: 'VERSION_MISMATCH', version: 18, outcome: 'not-applied' }])
    expect(await refusal('PUT', 'c/entries/k', 'v', { 'if-match': '17' })).toMatchObject({ status: 400, path: 'If-Match' })
    expect(await refusal('PUT', 'c/entries/k', 'v', { 'if-none-match': '"17"' })).toMatchObject({ status: 400, path: 'If-None-Match' })
  })

  const long = 'x'.repeat(200)
  test.each([
    ['a time that is empty', '?ttlMs=', {}, 'ttlMs'],
    ['a time below zero', '?ttlMs=-1', {}, 'ttlMs'],
    ['a time as people write it', '?ttlMs=5s', {}, 'ttlMs'],
    ['hexadecimals', '?slidingMs=0x10', {}, 'slidingMs'],
    ['more than a year', '?ttlMs=31536000001', {}, 'ttlMs'],
    ['two times', '?ttlMs=1&ttlMs=2', {}, 'ttlMs'],
    ['no tag', '?tags=', {}, 'tags.0'],
    ['an empty tag', '?tags=a,,b', {}, 'tags.1'],
    ['a long tag', `?tags=${long}`, {}, 'tags.0'],
    ['17 tags', `?tags=${Array.from({ length: 17 }, (_, at) => at).join(',')}`, {}, 'tags'],
    ['an empty token', '?loadToken=', {}, 'loadToken'],
    ['an unknown member', '?ttl=5', {}, 'ttl'],
    ['a type beyond ASCII', '', { 'content-type': 'text/pl\u00e4in' }, 'Content-Type'],
    ['a type with a tab', '', { 'content-type': 'text/\tplain' }, 'Content-Type'],
    ['a long type', '', { 'content-type': `text/${'x'.repeat(300)}` }, 'Content-Type'],
    ['a namespace that is none', '', { 'tricord-namespace': 'a b' }, 'Tricord-Namespace'],
    ['an empty idempotency key', '', { 'idempotency-key': '' }, 'Idempotency-Key'],
    ['an idempotency key too long', '', { 'idempotency-key': 'x'.repeat(256) }, 'Idempotency-Key'],
  ])('refused: %s', async (_what, query, headers, path) => {
    const { asked, refusal } = bed()
    expect(await refusal('PUT', `c/entries/k${query}`, 'v', headers)).toEqual({ status: 400, code: 'INVALID_ARGUMENT', path })
    expect(asked).toEqual([])
  })

  test('what would be lost on the way back is refused', async () => {
    const { asked, send, refusal } = bed()
    expect(await refusal('PUT', 'c/entries/k', 'v', { 'content-encoding': 'gzip' })).toMatchObject({
      status: 415,
      code: 'UNSUPPORTED_TYPE',
    })
    expect(asked).toEqual([])
    expect((await send('PUT', 'c/entries/k', 'v', { 'content-encoding': 'identity' })).status).toBe(201)
  })
})

describe('get', () => {
  test('the body as it was put, and how it was come by', async () => {
    const { told, send } = bed()
    const value = Buffer.from([0, 1, 0, 255])
    told.get = readOf(entryOf(value, { contentType: 'text/plain; charset=utf-8' }), { line: 'S', hit: true })
    const response = await send('GET', 'c/entries/k')
    expect(response.status).toBe(200)
    expect(await bytesOf(response)).toEqual(value)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      etag: '"17"',
      'content-type': 'text/plain; charset=utf-8',
      'content-length': '4',
      'tricord-line': 'S',
      'tricord-cache': 'hit',
      'tricord-node': 'n1',
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
    })
  })

  test.each(['M', 'E', 'S', 'I'] as const)('line %s', async (line) => {
    const { told, send } = bed()
    told.get = readOf(entryOf('v'), { line })
    const response = await send('GET', 'c/entries/k')
    expect([response.headers.get('tricord-line'), response.headers.get('tricord-cache')]).toEqual([line, 'miss'])
  })

  test('HEAD: the same without the body', async () => {
    const { told, send } = bed()
    told.get = readOf(entryOf('value'))
    const [whole, head] = [await send('GET', 'c/entries/k'), await send('HEAD', 'c/entries/k')]
    expect([head.status, (await bytesOf(head)).length]).toEqual([200, 0])
    const headersOf = ({ headers }: Response) => ({ ...Object.fromEntries(headers), 'tricord-request-id': '' })
    expect(headersOf(head)).toEqual(headersOf(whole))
    expect(head.headers.get('content-length')).toBe('5')
    told.get = readOf(null)
    expect((await send('HEAD', 'c/entries/k')).status).toBe(404)
  })

  test('304 where the caller has it, with the same headers', async () => {
    const { told, send } = bed()
    told.get = readOf(entryOf('v'), { line: 'E', hit: true })
    for (const [header, status] of [
      ['"17"', 304],
      ['W/"17"', 304],
      ['"3", "17"', 304],
      ['*', 304],
      ['"18"', 200],
      ['"abc"', 200],
    ] as const) {
      const response = await send('GET', 'c/entries/k', null, { 'if-none-match': header })
      expect([header, response.status]).toEqual([header, status])
      expect([response.headers.get('etag'), response.headers.get('tricord-line'), response.headers.get('tricord-cache')]).toEqual([
        '"17"',
        'E',
        'hit',
      ])
      expect((await bytesOf(response)).length).toBe(status === 304 ? 0 : 1)
    }
    expect((await send('HEAD', 'c/entries/k', null, { 'if-none-match': '"17"' })).status).toBe(304)
  })

  test('404 says how it is known', async () => {
    const { told, send } = bed()
    told.get = readOf(null, { line: 'S', hit: true })
    const response = await send('GET', 'c/entries/k', null, { 'if-none-match': '*' })
    expect([response.status, response.headers.get('tricord-line'), response.headers.get('tricord-cache')]).toEqual([404, 'S', 'hit'])
    expect(await response.json()).toMatchObject({ code: 'NOT_FOUND', status: 404, retryable: false, line: 'S', cache: 'hit' })
    expect(response.headers.get('tricord-request-id')).toBeTruthy()
  })

  test('503 rather than an older value', async () => {
    const { told, send } = bed()
    told.get = new TricordError('NO_QUORUM', 'this node cannot say now')
    const response = await send('GET', 'c/entries/k')
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await response.json()).toMatchObject({ code: 'NO_QUORUM', retryable: true, outcome: 'not-applied' })
  })

  test('the caller’s namespace goes along', async () => {
    const { last, send } = bed()
    await send('GET', 'c/entries/k', null, { 'tricord-namespace': 'n', traceparent: TRACE })
    expect(last('get')[0]).toEqual({ namespace: 'n', cache: 'c', key: 'k' })
  })

  test.each([
    ['a query', 'c/entries/k?consistency=stale', {}, 'consistency'],
    ['a condition of writes', 'c/entries/k', { 'if-match': '"17"' }, 'If-Match'],
    ['a malformed one', 'c/entries/k', { 'if-none-match': '17' }, 'If-None-Match'],
    ['a cache with a space', 'a%20b/entries/k', {}, 'cache'],
    ['a cache of 129', `${'c'.repeat(129)}/entries/k`, {}, 'cache'],
    ['half of an escape', 'c/entries/%zz', {}, 'path'],
    ['no UTF-8', 'c/entries/%ff', {}, 'path'],
    ['no UTF-8 in a query', 'c/entries/k?tags=%FF', {}, 'query'],
    ['half of an escape in a query', 'c/entries/k?tags=%', {}, 'query'],
    ['half of one in the name of a member', 'c/entries/k?%zz=1', {}, 'query'],
  ])('refused: %s', async (_what, path, headers, at) => {
    const { asked, refusal } = bed()
    expect(await refusal('GET', path, null, headers)).toEqual({ status: 400, code: 'INVALID_ARGUMENT', path: at })
    expect(asked).toEqual([])
  })
})

describe('delete', () => {
  test('204, there or not', async () => {
    const { last, told, send } = bed()
    for (const existed of [true, false]) {
      told.delete = { existed, version: 5 }
      const response = await send('DELETE', 'c/entries/a%2Fb')
      expect([response.status, await response.text()]).toEqual([204, ''])
    }
    expect(last('delete')).toEqual([{ namespace: 'default', cache: 'c', key: 'a/b' }, null, { timeoutMs: 10_000 }])
  })

  test('only the version that is meant', async () => {
    const { last, told, send, refusal } = bed()
    await send('DELETE', 'c/entries/k', null, { 'if-match': '"17"' })
    expect(last('delete')[1]).toBe(17)
    told.delete = new TricordError('VERSION_MISMATCH', 'there is none', { version: 0 })
    const response = await send('DELETE', 'c/entries/k', null, { 'if-match': '*' })
    expect([response.status, await response.json()]).toMatchObject([412, { code: 'VERSION_MISMATCH', version: 0 }])
    expect(await refusal('DELETE', 'c/entries/k', null, { 'if-none-match': '*' })).toMatchObject({ status: 400, path: 'If-None-Match' })
    expect(await refusal('DELETE', 'c/entries/k?x=1')).toMatchObject({ status: 400, path: 'x' })
  })
})

const JSON_TYPE = { 'content-type': 'application/json' }

describe('incr', () => {
  test('by one, or as said', async () => {
    const { last, told, send } = bed()
    told.increment = { value: -4, version: 9 }
    const response = await send('POST', 'c/entries/n/incr')
    expect([response.status, response.headers.get('etag'), await response.json()]).toEqual([200, '"9"', { value: -4, version: 9 }])
    expect(last('increment')[1]).toBe(1)
    await send('POST', 'c/entries/n/incr', '{"by":-5}', JSON_TYPE)
    expect(last('increment')[1]).toBe(-5)
  })

  test.each([
    ['half', '{"by":0.5}', {}, 'by'],
    ['beyond 2^53', '{"by":9007199254740993}', {}, 'by'],
    ['the last safe integer', '{"by":9007199254740991}', {}, 'by'],
    ['the last safe integer, down', '{"by":-9007199254740991}', {}, 'by'],
    ['a text', '{"by":"1"}', {}, 'by'],
    ['an unknown member', '{"to":1}', {}, 'to'],
    ['a condition it would not look at', '{}', { 'if-match': '"17"' }, 'If-Match'],
  ])('refused: %s', async (_what, body, headers, path) => {
    const { asked, refusal } = bed()
    expect(await refusal('POST', 'c/entries/n/incr', body, { ...JSON_TYPE, ...headers })).toEqual({
      status: 400,
      code: 'INVALID_ARGUMENT',
      path,
    })
    expect(asked).toEqual([])
  })

  test('what is no number is the caller’s', async () => {
    const { told, refusal } = bed()
    told.increment = new TricordError('INVALID_ARGUMENT', 'the value is no integer')
    expect(await refusal('POST', 'c/entries/n/incr')).toEqual({ status: 400, code: 'INVALID_ARGUMENT', path: 'request' })
  })
})

describe('load', () => {
  test('the value; a stale one says so', async () => {
    const { last, told, send } = bed()
    told.load = { type: 'value', read: readOf(entryOf('v'), { line: 'S', hit: true }), stale: false }
    const fresh = await send('POST', 'c/entries/k/load', '{"waitMs":100,"staleOk":true,"tags":["a","a"]}', JSON_TYPE)
    expect([fresh.status, await fresh.text(), fresh.headers.get('etag'), fresh.headers.get('tricord-cache')]).toEqual([
      200,
      'v',
      '"17"',
      'hit',
    ])
    expect(fresh.headers.has('tricord-stale')).toBe(false)
    expect(last('load')[1]).toEqual({ waitMs: 100, staleOk: true, tags: ['a'] })
    expect(last('load')[2]).toMatchObject({ timeoutMs: 10_000, signal: { aborted: false } })
    told.load = { type: 'value', read: readOf(entryOf('v')), stale: true }
    expect((await send('POST', 'c/entries/k/load')).headers.get('tricord-stale')).toBe('true')
    expect(last('load')[1]).toEqual({ waitMs: 0, staleOk: false, tags: [] })
  })

  test('202 to the one who loads it, 409 to the others', async () => {
    const { told, send, refusal } = bed()
    const response = await send('POST', 'c/entries/k/load')
    expect([response.status, await response.json()]).toEqual([202, { loadToken: 'l_1', leaseMs: 5_000 }])
    told.load = new TricordError('OWNER_BUSY', 'another loads it')
    expect(await refusal('POST', 'c/entries/k/load')).toMatchObject({ status: 409, code: 'OWNER_BUSY' })
    told.put = new TricordError('STALE_TOKEN', 'a write came between')
    expect(await refusal('PUT', 'c/entries/k?loadToken=l_1', 'v')).toMatchObject({ status: 409, code: 'STALE_TOKEN' })
  })

  describe('who hangs up', () => {
    const WAIT = '{"waitMs":20000}'
    /** A load under way: what was asked, and how to answer it. */
    async function loading(body: string, { headers = {}, env = {} }: { headers?: Record<string, string>; env?: object } = {}) {
      const { app, clock, told, last, asked } = bed()
      let answer!: (outcome: LoadOutcome) => void
      told.load = new Promise((resolve) => (answer = resolve))
      const caller = new AbortController()
      const init = { method: 'POST', body, headers: { ...JSON_TYPE, ...headers }, signal: caller.signal }
      const response = Promise.resolve(app.request('/v1/caches/c/entries/k/load', init, env))
      await clock.settle()
      const [, , { signal }] = last('load')
      const end = async () => {
        answer({ type: 'load', loadToken: '7', leaseMs: 5_000 })
        await response
        await clock.settle()
        return asked.filter(({ method }) => method === 'put')
      }
      return { caller, clock, signal, end }
    }

    test('waits no more, and a token that comes all the same is handed on', async () => {
      const { caller, signal, end } = await loading(WAIT)
      expect(signal?.aborted).toBe(false)
      caller.abort()
      expect(signal?.aborted).toBe(true)
      const [put] = await end()
      // Of a version that nothing has: refused, and by that the next in line loads.
      expect(put?.args.slice(0, 1)).toEqual([{ namespace: 'default', cache: 'c', key: 'k' }])
      expect(put?.args.slice(2, 4)).toEqual([Number.MAX_SAFE_INTEGER - 1, '7'])
    })

    test('has no token of a load that did not wait either', async () => {
      const outgoing = { destroyed: false }
      const { signal, end } = await loading('{}', { env: { outgoing } })
      expect(signal).toBeUndefined()
      outgoing.destroyed = true
      expect(await end()).toHaveLength(1)
    })

    test('may come back for it with the key', async () => {
      const { caller, signal, end } = await loading(WAIT, { headers: { 'idempotency-key': 'once' } })
      caller.abort()
      expect(signal).toBeUndefined()
      expect(await end()).toEqual([])
    })

    test('after the answer changes nothing', async () => {
      const { caller, signal, end } = await loading(WAIT)
      expect(await end()).toEqual([])
      caller.abort()
      expect(signal?.aborted).toBe(false)
    })

    test('what is not answered in time is given up', async () => {
      const { clock, signal, end } = await loading(WAIT)
      await clock.pass(25_000)
      expect(signal?.aborted).toBe(true)
      expect(await end()).toHaveLength(1)
    })
  })

  test('no call takes longer than 26 s', async () => {
    const { clock, told, send } = bed()
    told.load = new Promise(() => {})
    const answer = send('POST', 'c/entries/k/load', '{"waitMs":25000}', JSON_TYPE)
    let response: Response | undefined
    void answer.then((found) => (response = found))
    await clock.until(() => response !== undefined, 'an answer', 26_000)
    if (response === undefined) return expect.unreachable('no answer')
    expect([response.status, await response.json()]).toMatchObject([504, { code: 'UNKNOWN_OUTCOME', outcome: 'unknown' }])
  })

  test.each([
    ['a wait of 26 s', '{"waitMs":26000}', 'waitMs'],
    ['a tag with a comma', '{"tags":["a,b"]}', 'tags.0'],
    ['half of a pair', '{"tags":["\\ud800"]}', 'tags.0'],
    ['an unknown member', '{"wait":1}', 'wait'],
  ])('refused: %s', async (_what, body, path) => {
    const { refusal } = bed()
    expect(await refusal('POST', 'c/entries/k/load', body, JSON_TYPE)).toEqual({ status: 400, code: 'INVALID_ARGUMENT', path })
  })
})

describe('keys of calls', () => {
  const key = { 'idempotency-key': 'k-1' }
  test('the same call has the same, another value or condition another fingerprint, another entry another key', async () => {
    const { last, send } = bed()
    const idempotency = async (path: string, body: string, headers: Record<string, string> = {}) => {
      await send('PUT', `c/entries/${path}`, body, { ...key, 'content-type': 'a/b', ...headers })
      return last('put')[4].idempotencyKey ?? expect.unreachable('no key')
    }
    const once = await idempotency('a%2Fb', 'v')
    expect(await idempotency('a%2fb', 'v')).toEqual(once)
    const others = [
      await idempotency('a%2Fb', 'w'),
      await idempotency('a%2Fb', 'v', { 'content-type': 'a/c' }),
      await idempotency('a%2Fb', 'v', { 'if-match': '*' }),
      await idempotency('a%2Fb', 'v', { 'if-match': '"1"' }),
      await idempotency('a%2Fb?ttlMs=1', 'v'),
      await idempotency('a%2Fb?tags=a', 'v'),
      await idempotency('a%2Fb?loadToken=a', 'v'),
    ]
    expect(new Set(others.map(({ key: hashed }) => hashed))).toEqual(new Set([once.key]))
    expect(new Set([once, ...others].map(({ fingerprint }) => fingerprint)).size).toBe(others.length + 1)
    expect((await idempotency('a', 'v')).key).not.toBe(once.key)
    expect((await idempotency('a%2Fb', 'v', { 'tricord-namespace': 'n' })).key).not.toBe(once.key)
  })

  test('all that change something have one, and each verb means something else', async () => {
    const { asked, send } = bed()
    await send('PUT', 'c/entries/k', 'v', key)
    await send('DELETE', 'c/entries/k', null, key)
    await send('POST', 'c/entries/k/incr', null, key)
    await send('POST', 'c/entries/k/load', null, key)
    const keys = asked.map(({ args }) => (args.at(-1) as { idempotencyKey?: { key: string; fingerprint: string } }).idempotencyKey)
    expect(new Set(keys.map((one) => one?.key)).size).toBe(1)
    expect(new Set(keys.map((one) => one?.fingerprint)).size).toBe(4)
    await send('GET', 'c/entries/k', null, key)
    expect(asked.at(-1)?.args.at(-1)).toEqual({ timeoutMs: 10_000 })
  })
})
