/** Values over real sockets: bytes as they are, HEAD, 304, chunks, and what is too long, with the `Response` of the main thread and with that of a gateway's own. */
import { once } from 'node:events'
import { type Server, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { entryOf, readOf } from '../../test/told-caches.ts'
import { toldGateway } from '../../test/told-gateway.ts'
import { CACHE_LIMITS } from '../cache/types.ts'
import { createApp } from './app.ts'
import { listenerOf, serverOf } from './listener.ts'

const MAX = CACHE_LIMITS.valueBytesMax

interface Sending {
  readonly method?: string
  readonly headers?: Record<string, string>
  /** Several: chunked. */
  readonly body?: readonly Uint8Array[]
}

// The second replaces the first's globals for good: this order only.
describe.each([false, true])('a thread of its own: %s', (ownThread) => {
  const { cached, gateway } = toldGateway()
  const { told, last } = cached
  let server: Server
  const onBug = (error: unknown) => expect.unreachable(String(error))
  beforeAll(async () => {
    const app = createApp(gateway, { onBug })
    server = serverOf(listenerOf(app.fetch, gateway.backend, { ownThread, onBug }))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterAll(() => void server.close())

  async function send(path: string, { method = 'GET', headers = {}, body = [] }: Sending = {}) {
    const { port } = server.address() as AddressInfo
    const [only] = body
    const length: Record<string, string> = only && body.length === 1 ? { 'content-length': String(only.length) } : {}
    const sent = request({ port, host: '127.0.0.1', path: `/v1/caches/${path}`, method, headers: { ...length, ...headers } })
    for (const chunk of body) sent.write(chunk)
    sent.end()
    const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage]
    const chunks: Uint8Array[] = []
    for await (const chunk of response) chunks.push(chunk as Uint8Array)
    return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }
  }

  test('keys of dots: a path that names them is another path, a body does', async () => {
    const before = cached.asked.length
    for (const key of ['.', '..', '%2E', '%2e%2E', '.%2e']) {
      for (const path of [`c/entries/${key}`, `${key}/entries/k`]) {
        const { status } = await send(path, { method: 'PUT', body: [Buffer.from('v')] })
        expect([path, status]).toEqual([path, expect.toSatisfy((code: number) => code === 404 || code === 405)])
      }
    }
    expect(cached.asked).toHaveLength(before)
    const entries = ['.', '..'].map((key) => ({ key, data: 1 }))
    for (const cache of ['c', '.', '..']) {
      const body = [Buffer.from(JSON.stringify({ entries }))]
      const put = await send(`${cache}:mput`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
      expect([cache, put.status]).toEqual([cache, 200])
      const [name, puts] = last('putMany')
      expect([name.cache, puts.map(({ key }) => key)]).toEqual([cache, ['.', '..']])
    }
  })

  test('every byte, there and back', async () => {
    const value = Buffer.from(Array.from({ length: 1_024 }, (_, at) => at % 256))
    const put = await send('c/entries/k%C3%A4%2F%00', { method: 'PUT', headers: { 'content-type': 'a/b' }, body: [value] })
    expect([put.status, put.headers.etag, JSON.parse(String(put.body))]).toEqual([201, '"1"', { key: 'kä/\0', version: 1 }])
    expect(Buffer.from(last('put')[1].value)).toEqual(value)
    told.get = readOf(entryOf(value, { contentType: 'a/b' }), { line: 'S', hit: true })
    const got = await send('c/entries/k')
    expect([got.status, got.body]).toEqual([200, value])
    expect(got.headers).toMatchObject({
      'content-type': 'a/b',
      'content-length': '1024',
      etag: '"17"',
      'tricord-line': 'S',
      'tricord-cache': 'hit',
    })
  })

  test('1 MiB, there and back; chunked too', async () => {
    const value = Buffer.alloc(MAX, 0xa5)
    for (const body of [[value], [value.subarray(0, 1_000), value.subarray(1_000)]]) {
      expect((await send('c/entries/k', { method: 'PUT', body })).status).toBe(201)
      expect(Buffer.compare(last('put')[1].value, value)).toBe(0)
    }
    told.get = readOf(entryOf(value))
    expect(Buffer.compare((await send('c/entries/k')).body, value)).toBe(0)
  })

  test('a byte more is refused, chunked too', async () => {
    const asked = cached.asked.length
    for (const body of [[Buffer.alloc(MAX + 1)], [Buffer.alloc(MAX), Buffer.alloc(1)]]) {
      const { status, body: problem } = await send('c/entries/k', { method: 'PUT', body })
      expect([status, JSON.parse(String(problem))]).toMatchObject([413, { code: 'TOO_LARGE', bytesMax: MAX, outcome: 'not-applied' }])
    }
    expect(cached.asked).toHaveLength(asked)
  })

  test('no body at all, and an empty one', async () => {
    for (const body of [[], [new Uint8Array()]]) {
      expect((await send('c/entries/k', { method: 'PUT', body })).status).toBe(201)
      expect(last('put')[1]).toMatchObject({ value: { length: 0 }, contentType: 'application/octet-stream' })
    }
    told.get = readOf(entryOf(''))
    const got = await send('c/entries/k')
    expect([got.status, got.headers['content-length'], got.body.length]).toEqual([200, '0', 0])
  })

  test('HEAD tells the length, 304 and 204 have no body', async () => {
    told.get = readOf(entryOf('value'), { line: 'E' })
    const head = await send('c/entries/k', { method: 'HEAD' })
    expect([head.status, head.headers['content-length'], head.headers.etag, head.headers['tricord-line'], head.body.length]).toEqual([
      200,
      '5',
      '"17"',
      'E',
      0,
    ])
    const known = await send('c/entries/k', { headers: { 'if-none-match': '"17"' } })
    expect([known.status, known.headers.etag, known.headers['tricord-line'], known.headers['content-length'], known.body.length]).toEqual([
      304,
      '"17"',
      'E',
      undefined,
      0,
    ])
    const gone = await send('c/entries/k', { method: 'DELETE' })
    expect([gone.status, gone.body.length]).toEqual([204, 0])
    told.get = readOf(null)
    const none = await send('c/entries/k', { method: 'HEAD' })
    expect([none.status, none.headers['tricord-line'], none.body.length]).toEqual([404, 'I', 0])
  })

  test.each([
    ['a type that says nothing', { 'content-type': '' }, 201],
    ['a type of Latin-1', { 'content-type': 'text/\u00fc' }, 400],
    ['a condition of Latin-1', { 'if-match': '"\u00fc"' }, 400],
    ['an empty condition', { 'if-match': '' }, 400],
    ['a coding', { 'content-encoding': 'br' }, 415],
    ['an expectation', { expect: '100-continue' }, 201],
  ])('headers: %s', async (_what, headers, status) => {
    expect((await send('c/entries/k', { method: 'PUT', headers, body: [Buffer.from('v')] })).status).toBe(status)
  })
})
