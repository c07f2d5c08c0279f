/** The gateway over a real one-node cluster in memory: answers as API.md has them, and every kind of bad input. */
import { connect } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clusterForAll } from '../../test/embedded-bed.ts'
import { freePort } from '../../test/nats-server.ts'
import { held, toldRoutes, untold } from '../../test/told-answer.ts'
import { TAGS } from './openapi.ts'

let base = ''
let metricsPort = 0
const cluster = clusterForAll(1, async () => {
  metricsPort = await freePort()
  return [`metrics.port=${metricsPort}`, 'cluster.partitions=2', 'consensus.segment_bytes=1048576', 'http.body_bytes_max=65536']
})
beforeAll(() => {
  base = cluster().nodes[0]?.url ?? ''
})
afterAll(() => {
  // In a cluster of one nobody else comes, and the one cannot leave.
  const told = TAGS.filter((tag) => tag !== 'Queues' && tag !== 'Caches').flatMap(toldRoutes)
  expect(told.filter((route) => !held.has(route))).toEqual(['post /v1/cluster/members', 'delete /v1/cluster/members/{id}'])
})

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown>
}
async function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const text = typeof body === 'string' || body instanceof Uint8Array ? (body as string | Uint8Array<ArrayBuffer>) : JSON.stringify(body)
  const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' }
  const response = await fetch(base + path, { method, headers: { ...type, ...headers }, ...(body !== undefined && { body: text }) })
  const answer = await response.text()
  const json = response.headers.get('content-type')?.includes('json')
  if (json && answer !== '') expect(untold(method, path, response.status, JSON.parse(answer))).toBe('')
  return {
    status: response.status,
    headers: response.headers,
    body: json && answer !== '' ? (JSON.parse(answer) as Record<string, unknown>) : { text: answer },
  }
}
const post = (path: string, body: unknown = {}, headers = {}) => send('POST', path, body, headers)

describe('locks over HTTP', () => {
  test('acquire, status, renew, release: at /v1 and at the root', async () => {
    for (const prefix of ['', '/v1']) {
      const name = `${prefix}/locks/orders%2F42${prefix ? 'v1' : ''}`
      const taken = await post(`${name}/acquire`, { owner: 'job-9', leaseMs: 30_000, metadata: { host: 'w3' } })
      expect(taken.status).toBe(200)
      expect(taken.body).toMatchObject({ acquired: true, mode: 'exclusive', owner: 'job-9', leaseMs: 30_000, count: 1, waitedMs: 0 })
      expect(taken.body['session']).toMatch(/^s_[\w-]+\.[\w-]{22}$/)
      const status = await send('GET', `${name}/status`)
      expect(status.body).toMatchObject({ state: 'held', mode: 'exclusive', queueLength: 0, waiters: [] })
      expect(status.body['holders']).toMatchObject([{ owner: 'job-9', grantId: taken.body['grantId'], metadata: { host: 'w3' } }])
      const { grantId } = taken.body
      expect((await post(`${name}/renew`, { grantId, leaseMs: 50_000 })).body).toMatchObject({
        remainingMs: 50_000,
        token: taken.body['token'],
      })
      expect((await post(`${name}/release`, { grantId })).body).toMatchObject({ released: true, count: 0 })
      expect((await post(`${name}/release`, { grantId })).body).toMatchObject({
        code: 'LEASE_EXPIRED',
        status: 410,
        outcome: 'not-applied',
      })
    }
  })

  test('a waiting acquire is answered when the holder lets go; order of arrival; aliases of modes', async () => {
    const path = '/v1/locks/queue'
    const first = await post(`${path}/acquire`, { mode: 'write' })
    const waiting = post(`${path}/acquire`, { mode: 'read', waitMs: 20_000, owner: 'w1' })
    await expect.poll(async () => (await send('GET', `${path}/status?consistency=stale`)).body['queueLength']).toBe(1)
    expect((await send('GET', `${path}/status`)).body['waiters']).toMatchObject([{ owner: 'w1', mode: 'shared', position: 1, priority: 0 }])
    await post(`${path}/release`, { grantId: first.body['grantId'] })
    const granted = await waiting
    expect(granted.body).toMatchObject({ acquired: true, mode: 'shared', owner: 'w1' })
    expect(granted.body['token'] as number).toBeGreaterThan(first.body['token'] as number)
  })

  test('onBusy result: a busy lock is an answer', async () => {
    await post('/locks/busy/acquire', { owner: 'a' })
    expect(await post('/locks/busy/acquire', { onBusy: 'result' })).toMatchObject({
      status: 200,
      body: { acquired: false, queueLength: 0, holders: [{ owner: 'a' }] },
    })
    const refused = await post('/locks/busy/acquire', { waitMs: 1 })
    expect(refused).toMatchObject({ status: 423, body: { code: 'WAIT_TIMEOUT', retryable: true, queueLength: 0 } })
  })

  test('sessions: open, list, keep alive, own, close', async () => {
    const opened = await post('/v1/sessions', { ttlMs: 20_000, name: 'worker' })
    expect(opened.status).toBe(201)
    const token = opened.body['session'] as string
    const id = token.split('.')[0] as string
    const headers = { 'tricord-session': token }
    const taken = await post('/locks/owned/acquire', { owner: 'o' }, { ...headers, 'idempotency-key': 'k-owned' })
    expect(taken.body['session']).toBe(token)
    expect((await send('GET', '/v1/requests/k-owned', undefined, headers)).body).toEqual(taken.body)
    expect((await send('GET', '/v1/requests/k-owned')).body).toEqual({ ...taken.body, session: id })
    const { grantId } = taken.body
    expect(await post('/locks/owned/release', { grantId })).toMatchObject({ status: 403, body: { code: 'NOT_OWNER' } })
    expect((await send('GET', '/v1/sessions')).body['sessions']).toMatchObject([{ id, name: 'worker', ttlMs: 20_000, grants: 1 }])
    expect((await post(`/v1/sessions/${id}/keepalive`, {}, headers)).body).toMatchObject({ remainingMs: 20_000 })
    expect(await send('DELETE', `/v1/sessions/${id}`, undefined, headers)).toMatchObject({ status: 200, body: { released: 1 } })
    expect((await send('GET', '/locks/owned/status')).body).toMatchObject({ state: 'free' })
    expect(await post('/locks/owned/acquire', {}, headers)).toMatchObject({ status: 410, body: { code: 'SESSION_EXPIRED' } })
  })

  test('a retry under the same Idempotency-Key has one effect; another meaning is refused', async () => {
    const headers = { 'idempotency-key': 'k-1' }
    const [first, again] = [
      await post('/locks/idem/acquire', { owner: 'x' }, headers),
      await post('/v1/locks/idem/acquire', { owner: 'x' }, headers),
    ]
    expect((await post('/locks/%69dem/acquire', { owner: 'x' }, headers)).body).toEqual(again.body)
    expect(again.body).toEqual({ ...first.body, remainingMs: again.body['remainingMs'] })
    expect((await send('GET', '/v1/requests/k-1')).body).toEqual(again.body)
    expect(await send('GET', '/v1/requests/k-1', undefined, { 'tricord-namespace': 'other' })).toMatchObject({ status: 404 })
    expect(await post('/locks/idem/acquire', { owner: 'y' }, headers)).toMatchObject({
      status: 422,
      body: { code: 'IDEMPOTENCY_KEY_REUSED' },
    })
  })

  test('the session of a retry is the session of the first call, and works', async () => {
    const headers = { 'idempotency-key': 'k-2' }
    const first = await post('/v1/sessions', { ttlMs: 20_000 }, headers)
    const again = await post('/v1/sessions', { ttlMs: 20_000 }, headers)
    expect(again.body).toEqual(first.body)
    // Who has guessed the key has not guessed the secret.
    const id = String(first.body['session']).split('.')[0]
    expect((await send('GET', '/v1/requests/k-2')).body).toEqual({ ...first.body, session: id })
    expect((await post('/locks/k2/acquire', {}, { 'tricord-session': again.body['session'] as string })).status).toBe(200)
  })

  test('a session may be named whole in the path, secret included', async () => {
    const { body } = await post('/v1/sessions', { ttlMs: 20_000 })
    expect((await post(`/v1/sessions/${String(body['session'])}/keepalive`, {})).body).toEqual({ remainingMs: 20_000 })
    expect((await post(`/v1/sessions/${String(body['session'])}x/keepalive`, {})).body).toMatchObject({ code: 'NOT_OWNER' })
    expect((await send('DELETE', `/v1/sessions/${String(body['session'])}`)).status).toBe(200)
  })

  test('a body of unknown length is read as far as it may go', async () => {
    const sent = async (text: string) => {
      const body = new ReadableStream({
        start(controller) {
          for (let at = 0; at < text.length; at += 1_000) controller.enqueue(new TextEncoder().encode(text.slice(at, at + 1_000)))
          controller.close()
        },
      })
      const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body, duplex: 'half' }
      const response = await fetch(`${base}/locks/chunked/acquire`, init as RequestInit)
      return [response.status, ((await response.json()) as { code?: string }).code]
    }
    expect(await sent('{"owner":"piecemeal"}')).toEqual([200, undefined])
    expect(await sent(`{"owner":"${'x'.repeat(70_000)}"}`)).toEqual([413, 'TOO_LARGE'])
  })

  test('every member of an acquire that the contract names is taken', async () => {
    const body = {
      mode: 'exclusive',
      owner: 'job-9',
      waitMs: 5000,
      leaseMs: 30000,
      priority: 0,
      reentrant: false,
      hierarchical: false,
      metadata: {},
    }
    expect(await post('/locks/contract/acquire', body)).toMatchObject({ status: 200, body: { acquired: true, owner: 'job-9' } })
  })

  test('a character is a character, whatever it takes to write it', async () => {
    const long = '𝄞'.repeat(256)
    const taken = await post(`/locks/${encodeURIComponent(long)}/acquire`, { owner: long })
    expect(taken).toMatchObject({ status: 200, body: { name: long, owner: long } })
    expect((await post(`/locks/${encodeURIComponent(`${long}𝄞`)}/acquire`)).status).toBe(400)
  })

  test('a wait whose caller hangs up is over, and leaves nothing behind', async () => {
    const held = await post('/locks/hung/acquire')
    const caller = new AbortController()
    const body = JSON.stringify({ waitMs: 20_000, leaseMs: 60_000 })
    const headers = { 'content-type': 'application/json' }
    const gone = fetch(`${base}/locks/hung/acquire`, { method: 'POST', body, headers, signal: caller.signal }).catch(() => 'gone')
    const queueLength = async () => (await send('GET', '/locks/hung/status')).body['queueLength']
    await expect.poll(queueLength).toBe(1)
    caller.abort()
    expect(await gone).toBe('gone')
    await expect.poll(queueLength).toBe(0)
    await post('/locks/hung/release', { grantId: held.body['grantId'] })
    expect((await send('GET', '/locks/hung/status')).body).toMatchObject({ state: 'free' })
  })

  test('namespaces do not see each other', async () => {
    await post('/locks/ns/acquire', {}, { 'tricord-namespace': 'a' })
    expect((await post('/locks/ns/acquire', {}, { 'tricord-namespace': 'b' })).status).toBe(200)
    expect((await post('/locks/ns/acquire', {}, { 'tricord-namespace': 'a' })).status).toBe(423)
  })
})

describe('the rest of the gateway', () => {
  test('health, readiness, cluster, ring, metrics, documents', async () => {
    expect((await send('GET', '/health')).body).toMatchObject({ status: 'ok', node: 'n1' })
    expect((await send('GET', '/livez')).status).toBe(200)
    expect((await send('GET', '/readyz')).body).toMatchObject({ status: 'ready', reason: '' })
    const status = await send('GET', '/cluster/status')
    expect(status.body).toMatchObject({ cluster: 'tricord', node: 'n1', epoch: expect.any(Number), quorum: true, leader: 'n1' })
    expect(status.body['groups']).toMatchObject([
      { id: 'meta', kind: 'meta', leader: 'n1' },
      { id: 'locks', kind: 'locks' },
      { id: 'p0' },
      { id: 'p1' },
    ])
    expect((await send('GET', '/v1/ring')).body).toMatchObject({ epoch: expect.any(Number), partitions: 2, virtualNodes: 150 })
    expect((await send('GET', '/v1/ring/explain?queue=orders')).body).toMatchObject({
      replicas: ['n1'],
      leader: 'n1',
      epoch: expect.any(Number),
    })
    const plan = await post('/v1/ring/plan', { add: ['n2', 'n3'] })
    expect((plan.body['moves'] as unknown[]).length).toBeGreaterThan(0)
    const metrics = (await send('GET', '/metrics')).body['text'] as string
    for (const name of [
      'lock_acquisitions_total',
      'lock_acquisition_duration_seconds',
      'active_locks_gauge',
      'leader_elections_total',
      'consensus_commit_latency_seconds',
    ]) {
      expect(metrics).toMatch(new RegExp(`^${name}`, 'm'))
    }
    const document = (await send('GET', '/v1/openapi.json')).body
    expect(Object.keys(document['paths'] as object)).toContain('/v1/locks/{name}/acquire')
    expect((await send('GET', '/docs')).body['text']).toContain('openapi.json')
  })

  test('metrics.port: /metrics alone, on a listener of its own', async () => {
    const at = (path: string) => fetch(`http://127.0.0.1:${metricsPort}${path}`)
    const scrape = await at('/metrics')
    expect([scrape.status, scrape.headers.get('content-type')]).toEqual([200, expect.stringContaining('text/plain')])
    expect(await scrape.text()).toContain('consensus_commit_latency_seconds')
    expect((await at('/locks/x/status')).status).toBe(404)
  })

  test('every answer names its request and its node', async () => {
    for (const [method, path] of [
      ['GET', '/health'],
      ['GET', '/nowhere'],
      ['POST', '/locks/x/release'],
    ] as const) {
      const { headers, body, status } = await send(method, path, method === 'POST' ? {} : undefined)
      expect(headers.get('tricord-node')).toBe('n1')
      expect(headers.get('tricord-request-id')).toMatch(/^[\w-]{12}$/)
      if (status >= 400) expect(body['requestId']).toBe(headers.get('tricord-request-id'))
    }
  })
})

describe('methods', () => {
  const options = async (method: string, path: string) => {
    const { status, headers, body } = await send(method, path)
    return [status, headers.get('allow'), body['code']]
  }
  test('HEAD is GET without the body; OPTIONS and a wrong method tell the right ones', async () => {
    expect((await send('HEAD', '/locks/x/status')).status).toBe(200)
    expect(await options('OPTIONS', '/v1/sessions')).toEqual([204, 'HEAD, GET, POST', undefined])
    expect(await options('OPTIONS', '/locks/x/acquire')).toEqual([204, 'POST', undefined])
    expect(await options('OPTIONS', '/nowhere')).toEqual([404, null, 'NOT_FOUND'])
    expect(await options('PUT', '/locks/x/status')).toEqual([405, 'HEAD, GET', 'INVALID_ARGUMENT'])
  })

  test('a WebSocket’s path without the upgrade', async () => {
    expect(await send('GET', '/v1/ws')).toMatchObject({ status: 426, body: { code: 'INVALID_ARGUMENT', status: 426 } })
  })
})

const UPGRADE = 'GET /v1/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n'

describe('what is no HTTP request', () => {
  const rawly = async (bytes: string): Promise<string> => {
    const socket = connect(Number(new URL(base).port), '127.0.0.1')
    socket.write(bytes)
    let text = ''
    for await (const chunk of socket) text += String(chunk)
    return text
  }
  test.each([
    ['garbage', 'NOT HTTP\r\n\r\n', 400],
    ['headers without end', `GET /health HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['two lengths', 'POST /locks/x/acquire HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}', 400],
    ['no host', 'GET /health HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['a host that is none', 'GET /health HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n', 400],
    ['a target that is none', 'OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 400],
    ['a handshake without a key', `${UPGRADE}Sec-WebSocket-Protocol: tricord.v1.json\r\n\r\n`, 400],
    ['a handshake by POST', `${UPGRADE.replace('GET', 'POST')}Sec-WebSocket-Protocol: tricord.v1.json\r\n\r\n`, 405],
  ])('%s', async (_what, bytes, status) => {
    const [head = '', body = ''] = (await rawly(bytes)).split('\r\n\r\n')
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(head.toLowerCase()).toContain('tricord-node: n1')
    const problem = JSON.parse(body) as Record<string, unknown>
    expect(problem).toMatchObject({ status, code: 'INVALID_ARGUMENT', outcome: 'not-applied', errors: [{ path: 'request' }] })
    expect(head).toMatch(new RegExp(`Tricord-Request-Id: ${String(problem['requestId'])}`, 'i'))
  })

  test.each([
    ['of known length', 'Content-Length: 100\r\n\r\n{"own'],
    ['in pieces', 'Transfer-Encoding: chunked\r\n\r\n5\r\n{"own\r\n'],
    ['in pieces, one of them garbled', 'Transfer-Encoding: chunked\r\n\r\n5\r\n{"own\r\nZZ\r\n'],
  ])('a caller that leaves in the middle of its body, %s, is no bug', async (_what, rest) => {
    const refused = async () => {
      const { body } = await send('GET', '/metrics')
      return Number(/^http_requests_total\{method="POST",status="400",.*\} (\d+)$/m.exec(body['text'] as string)?.[1] ?? 0)
    }
    const before = await refused()
    const socket = connect(Number(new URL(base).port), '127.0.0.1')
    socket.on('error', () => {})
    socket.write(`POST /locks/x/acquire HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${rest}`, () => socket.destroy())
    await expect.poll(refused).toBe(before + 1)
  })

  test('what HTTP/1.0 leaves out, and an expectation that nobody knows, are no faults', async () => {
    expect(await rawly('GET /health HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 200 /)
    expect(await rawly('GET /health HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nConnection: close\r\n\r\n')).toMatch(/^HTTP\/1.1 200 /)
  })
})

const LONG = 'x'.repeat(257)
/** what, method, path, body, headers, status, code, path of the first error. */
type Row = readonly [
  what: string,
  method: string,
  path: string,
  body: unknown,
  headers: Record<string, string>,
  status: number,
  code: string,
  at?: string,
]
const acquire = '/v1/locks/bad/acquire'
const BAD: readonly Row[] = [
  ['an unknown member', 'POST', acquire, { wait: 1 }, {}, 400, 'INVALID_ARGUMENT', 'wait'],
  ['a wrong type', 'POST', acquire, { waitMs: '5' }, {}, 400, 'INVALID_ARGUMENT', 'waitMs'],
  ['a negative wait', 'POST', acquire, { waitMs: -1 }, {}, 400, 'INVALID_ARGUMENT', 'waitMs'],
  ['an absurd wait', 'POST', acquire, { waitMs: 1e12 }, {}, 400, 'INVALID_ARGUMENT', 'waitMs'],
  ['a fraction of a millisecond', 'POST', acquire, { leaseMs: 1000.5 }, {}, 400, 'INVALID_ARGUMENT', 'leaseMs'],
  ['a lease of nothing', 'POST', acquire, { leaseMs: 0 }, {}, 400, 'INVALID_ARGUMENT', 'leaseMs'],
  ['a lease for ever', 'POST', acquire, { leaseMs: 1e15 }, {}, 400, 'INVALID_ARGUMENT', 'leaseMs'],
  ['an unknown mode', 'POST', acquire, { mode: 'greedy' }, {}, 400, 'INVALID_ARGUMENT', 'mode'],
  ['a priority of ten', 'POST', acquire, { priority: 10 }, {}, 400, 'INVALID_ARGUMENT', 'priority'],
  ['a hierarchy', 'POST', acquire, { hierarchical: true }, {}, 400, 'INVALID_ARGUMENT', 'hierarchical'],
  ['an owner too long', 'POST', acquire, { owner: LONG }, {}, 400, 'INVALID_ARGUMENT', 'owner'],
  ['metadata too large', 'POST', acquire, { metadata: { a: 'x'.repeat(1024) } }, {}, 400, 'INVALID_ARGUMENT', 'metadata'],
  ['metadata too deep', 'POST', acquire, { metadata: { a: {} } }, {}, 400, 'INVALID_ARGUMENT', 'metadata.a'],
  ['a list for a body', 'POST', acquire, [], {}, 400, 'INVALID_ARGUMENT', 'body'],
  ['bad JSON', 'POST', acquire, '{"mode":', {}, 400, 'INVALID_ARGUMENT', 'body'],
  ['no content type', 'POST', acquire, '{}', { 'content-type': 'text/plain' }, 415, 'UNSUPPORTED_TYPE'],
  ['a body too large', 'POST', acquire, `{"owner":"${'x'.repeat(70_000)}"}`, {}, 413, 'TOO_LARGE'],
  ['a name too long', 'POST', `/v1/locks/${LONG}/acquire`, {}, {}, 400, 'INVALID_ARGUMENT', 'name'],
  ['a name with a control character', 'POST', '/v1/locks/a%00b/acquire', {}, {}, 400, 'INVALID_ARGUMENT', 'name'],
  ['malformed percent-encoding', 'POST', '/v1/locks/a%zz/acquire', {}, {}, 400, 'INVALID_ARGUMENT', 'path'],
  ...['%zz', '%', '%ff', 'a%c3'].map((text): Row => [
    `a query with ${text}`,
    'GET',
    `/v1/locks/bad/status?consistency=${text}`,
    undefined,
    {},
    400,
    'INVALID_ARGUMENT',
    'query',
  ]),
  [
    'a body that is no UTF-8',
    'POST',
    acquire,
    Buffer.from([...Buffer.from('{"owner":"k'), 0xff, 0x22, 0x7d]),
    {},
    400,
    'INVALID_ARGUMENT',
    'body',
  ],
  ['a malformed session', 'POST', acquire, {}, { 'tricord-session': 'nonsense' }, 401, 'UNAUTHENTICATED'],
  ['a session that never was', 'POST', acquire, {}, { 'tricord-session': `s_zzz.${'a'.repeat(22)}` }, 410, 'SESSION_EXPIRED'],
  ['a bad namespace', 'POST', acquire, {}, { 'tricord-namespace': 'a b' }, 400, 'INVALID_ARGUMENT', 'Tricord-Namespace'],
  ['an idempotency key too long', 'POST', acquire, {}, { 'idempotency-key': LONG }, 400, 'INVALID_ARGUMENT', 'Idempotency-Key'],
  ['members in the query', 'POST', `${acquire}?waitMs=5`, {}, {}, 400, 'INVALID_ARGUMENT', '?waitMs=5'],
  ['half a character', 'POST', acquire, '{"owner":"\\ud800"}', {}, 400, 'INVALID_ARGUMENT', 'owner'],
  ['half a character in metadata', 'POST', acquire, '{"metadata":{"a":"\\ud800"}}', {}, 400, 'INVALID_ARGUMENT', 'metadata.a'],
  ['a release without a grant', 'POST', '/v1/locks/bad/release', {}, {}, 400, 'INVALID_ARGUMENT', 'grantId'],
  ['a grant that never was', 'POST', '/v1/locks/bad/release', { grantId: 'g_zzzzzz' }, {}, 404, 'NOT_FOUND'],
  ['a renewal of a grant that never was', 'POST', '/v1/locks/bad/renew', { grantId: 'nonsense' }, {}, 404, 'NOT_FOUND'],
  ['an unknown consistency', 'GET', '/v1/locks/bad/status?consistency=maybe', undefined, {}, 400, 'INVALID_ARGUMENT', 'consistency'],
  ['an unknown query member', 'GET', '/v1/locks/bad/status?verbose=1', undefined, {}, 400, 'INVALID_ARGUMENT', 'verbose'],
  ['a session TTL of nothing', 'POST', '/v1/sessions', { ttlMs: 0 }, {}, 400, 'INVALID_ARGUMENT', 'ttlMs'],
  ['a keepalive without proof', 'POST', '/v1/sessions/s_1/keepalive', {}, {}, 401, 'UNAUTHENTICATED'],
  ['a keepalive of another', 'POST', '/v1/sessions/s_1/keepalive', {}, { 'tricord-session': `s_2.${'a'.repeat(22)}` }, 403, 'NOT_OWNER'],
  ['an unknown request', 'GET', '/v1/requests/none', undefined, {}, 404, 'NOT_FOUND'],
  ['an unknown path', 'GET', '/v1/nowhere', undefined, {}, 404, 'NOT_FOUND'],
  ['a wrong method', 'GET', acquire, undefined, {}, 405, 'INVALID_ARGUMENT'],
  ['a member without an id', 'POST', '/cluster/members', {}, {}, 400, 'INVALID_ARGUMENT', 'id'],
  ['a member with dots', 'POST', '/cluster/members', { id: 'a.b' }, {}, 400, 'INVALID_ARGUMENT', 'id'],
  ['a member elsewhere', 'POST', '/cluster/members', { id: 'n2', url: 'ftp://x' }, {}, 400, 'INVALID_ARGUMENT', 'url'],
  ['a member that is here', 'POST', '/cluster/members', { id: 'n1' }, {}, 409, 'CONFIG_CONFLICT'],
  ['the leaving of nobody', 'DELETE', '/cluster/members/n9', undefined, {}, 404, 'NOT_FOUND'],
  ['the leaving of the last', 'DELETE', '/v1/cluster/members/n1', undefined, {}, 409, 'CONFIG_CONFLICT'],
  ['a plan that leaves nobody', 'POST', '/v1/ring/plan', { remove: ['n1'] }, {}, 400, 'INVALID_ARGUMENT', 'request'],
  ['a plan without a stranger', 'POST', '/v1/ring/plan', { remove: ['n9'] }, {}, 404, 'NOT_FOUND'],
  ['an explain of no queue name', 'GET', '/v1/ring/explain?queue=a%20b', undefined, {}, 400, 'INVALID_ARGUMENT', 'queue'],
  ['an explain of nothing', 'GET', '/v1/ring/explain', undefined, {}, 400, 'INVALID_ARGUMENT', 'queue'],
]

describe('bad input', () => {
  test.each(BAD.map((row) => [row[0], row] as const))('%s', async (_what, [, method, path, body, headers, status, code, at]) => {
    const before = (await send('GET', '/v1/locks/bad/status')).body
    const answer = await send(method, path, body, headers)
    expect([answer.status, answer.body['code']]).toEqual([status, code])
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(answer.body).toMatchObject({ status, outcome: 'not-applied', type: expect.stringMatching(/^https:/), title: expect.any(String) })
    if (code === 'INVALID_ARGUMENT') {
      expect(answer.body['errors']).toMatchObject([{ path: expect.any(String), message: expect.any(String) }])
    }
    if (at !== undefined) expect((answer.body['errors'] as { path: string }[])[0]?.path).toBe(at)
    expect((await send('GET', '/v1/locks/bad/status')).body).toEqual(before)
  })

  test('release by another owner’s session is refused and changes nothing', async () => {
    const taken = await post('/locks/mine/acquire', { owner: 'me' })
    const other = await post('/v1/sessions', {})
    const headers = { 'tricord-session': other.body['session'] as string }
    expect(await post('/locks/mine/release', { grantId: taken.body['grantId'] }, headers)).toMatchObject({
      status: 403,
      body: { code: 'NOT_OWNER' },
    })
    expect((await send('GET', '/locks/mine/status')).body).toMatchObject({ state: 'held', holders: [{ owner: 'me' }] })
  })

  test('whatever JSON comes, the answer is never a 500', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('acquire', 'release', 'renew'), fc.json(), async (verb: string, body: string) => {
        const { status } = await send('POST', `/v1/locks/fuzz/${verb}`, body)
        expect(status).toBeLessThan(500)
      }),
      { numRuns: 150 },
    )
  })
})
