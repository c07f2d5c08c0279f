/** WebSockets against a real embedded cluster, with the `ws` client: what a peer sees on the wire. */
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { clusterForAll, startInMemory } from '../../../test/embedded-bed.ts'
import { type Answer, type SocketClient, openSocket } from '../../../test/socket-client.ts'
import type { EmbeddedCluster } from '../../embedded.ts'

const cluster = clusterForAll(1, () => [])

interface ConnectOptions {
  readonly protocol?: string
  readonly headers?: Record<string, string>
  readonly path?: string
  readonly node?: number
  readonly of?: EmbeddedCluster
}

function connect(options: ConnectOptions = {}): Promise<SocketClient> {
  const { protocol = 'tricord.v1.json', headers = {}, path = '/v1/ws', node = 0, of = cluster() } = options
  const url = (of.nodes[node]?.url ?? '').replace('http', 'ws') + path
  return openSocket(url, protocol, headers)
}

/** The refusal of a handshake. */
async function refused(protocols: string[], headers: Record<string, string> = {}, path = '/v1/ws'): Promise<Answer> {
  const socket = new WebSocket((cluster().nodes[0]?.url ?? '').replace('http', 'ws') + path, protocols, { headers })
  const [, response] = await once(socket, 'unexpected-response')
  expect(response.headers['content-type']).toBe('application/problem+json')
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return JSON.parse(Buffer.concat(chunks).toString()) as Answer
}

/** Asks until the lock is as expected: every turn is a round trip. */
async function untilStatus(client: SocketClient, name: string, reached: (status: Answer) => boolean): Promise<Answer> {
  for (;;) {
    const status = await client.result('lock.status', { name })
    if (reached(status)) return status
  }
}

describe.each(['tricord.v1.json', 'tricord.v1.msgpack'])('over %s', (protocol) => {
  const lock = (name: string) => `${protocol}/${name}`

  test('acquire, renew, status, release', async () => {
    const client = await connect({ protocol })
    expect(client.socket.protocol).toBe(protocol)
    const name = lock('plain')
    const grant = await client.result('lock.acquire', { name, owner: 'job-9', leaseMs: 20_000, metadata: { why: 'test' } })
    expect(grant).toMatchObject({ acquired: true, name, mode: 'exclusive', owner: 'job-9', leaseMs: 20_000, count: 1 })
    expect(await client.result('lock.renew', { name, grantId: grant['grantId'] })).toMatchObject({ token: grant['token'] })
    const status = await client.result('lock.status', { name })
    expect(status).toMatchObject({ state: 'held', holders: [{ owner: 'job-9', metadata: { why: 'test' } }] })
    expect(await client.result('lock.release', { name, grantId: grant['grantId'] })).toMatchObject({ released: true, count: 0 })
    const again = await client.call('lock.release', { name, grantId: grant['grantId'] })
    expect(again).toMatchObject({ ok: false, error: { code: 'LEASE_EXPIRED', status: 410, outcome: 'not-applied' } })
    await client.close()
  })

  test('a batch is answered in an array, a lone request alone', async () => {
    const client = await connect({ protocol })
    client.send([{ id: 'a', op: 'ping' }])
    await client.answer('a')
    client.send({ id: 'b', op: 'ping' })
    await client.answer('b')
    client.send([1, 2, 3].map((id) => ({ id, op: 'ping' })))
    await Promise.all([1, 2, 3].map((id) => client.answer(id)))
    const pong = (id: unknown) => ({ id, ok: true, result: {} })
    expect(client.frames).toEqual([[pong('a')], pong('b'), [pong(1), pong(2), pong(3)]])
    await client.close()
  })

  test('a thousand acquires in one frame open one session', async () => {
    const client = await connect({ protocol })
    const ids = Array.from({ length: 1_000 }, (_, i) => i)
    client.send(ids.map((id) => ({ id, op: 'lock.acquire', name: lock(`many-${id}`) })))
    const answers = await Promise.all(ids.map((id) => client.answer(id)))
    expect(new Set(answers.map(({ result }) => result.session)).size).toBe(1)
    expect(answers.every(({ result }, id) => result.name === lock(`many-${id}`))).toBe(true)
    expect(await client.result('session.close')).toEqual({ closed: true, released: 1_000 })
    await client.close()
  })

  test('a waiting acquire is answered after the release, whatever was asked later first', async () => {
    const client = await connect({ protocol })
    const name = lock('waiting')
    const held = await client.result('lock.acquire', { name })
    client.send({ id: 'waits', op: 'lock.acquire', name, waitMs: 20_000 })
    await untilStatus(client, name, (status) => status['queueLength'] === 1)
    client.send({ id: 'later', op: 'lock.acquire', name: lock('free') })
    expect(await client.answer('later')).toMatchObject({ ok: true })
    expect(JSON.stringify(client.frames)).not.toContain('"waits"')
    await client.result('lock.release', { name, grantId: held['grantId'] })
    const granted = (await client.answer('waits'))['result'] as Answer
    expect(granted['token']).toBeGreaterThan(held['token'] as number)
    await client.close()
  })
})

describe('sessions', () => {
  test('one survives its connection: resumed by its token, its grants are released by the next connection', async () => {
    const first = await connect()
    const grant = await first.result('lock.acquire', { name: 'resumed' })
    const { session, ttlMs } = await first.result('session.open')
    expect(grant['session']).toBe(session)
    expect(ttlMs).toBe(30_000)
    first.socket.terminate()
    await first.closed
    const second = await connect()
    expect(await second.result('lock.status', { name: 'resumed' })).toMatchObject({ state: 'held' })
    // In one frame: what follows the resumption is done in the session.
    second.send([
      { id: 'r', op: 'session.resume', session },
      { id: 'l', op: 'lock.release', name: 'resumed', grantId: grant['grantId'] },
    ])
    expect(await second.answer('r')).toMatchObject({ ok: true, result: { session, ttlMs } })
    expect(await second.answer('l')).toMatchObject({ ok: true, result: { released: true } })
    const [id = ''] = String(session).split('.')
    const third = await connect()
    expect(await third.call('session.resume', { session: `${id}.${'x'.repeat(22)}` })).toMatchObject({ error: { code: 'NOT_OWNER' } })
    await third.result('lock.acquire', { name: 'resumed-other' })
    expect(await third.call('session.resume', { session })).toMatchObject({ error: { code: 'CONFIG_CONFLICT' } })
    await second.close()
    await third.close()
  })

  test('waits end with their connection, and no grant is left behind', async () => {
    const holder = await connect()
    const { grantId } = await holder.result('lock.acquire', { name: 'left' })
    const leaver = await connect()
    leaver.send({ id: 1, op: 'lock.acquire', name: 'left', waitMs: 50_000 })
    await untilStatus(holder, 'left', (status) => status['queueLength'] === 1)
    leaver.socket.terminate()
    await untilStatus(holder, 'left', (status) => status['queueLength'] === 0)
    await holder.result('lock.release', { name: 'left', grantId })
    expect(await holder.result('lock.status', { name: 'left' })).toMatchObject({ state: 'free' })
    await holder.close()
  })

  test('the late end of a dead connection takes nothing from the one that resumed its session', async () => {
    const holder = await connect()
    const { grantId } = await holder.result('lock.acquire', { name: 'half-dead' })
    const old = await connect()
    const { session } = await old.result('session.open')
    const resumed = await connect()
    await resumed.result('session.resume', { session })
    const waits = resumed.call('lock.acquire', { name: 'half-dead', waitMs: 50_000 })
    await untilStatus(holder, 'half-dead', (status) => status['queueLength'] === 1)
    await old.close()
    await holder.result('lock.release', { name: 'half-dead', grantId })
    expect(await waits).toMatchObject({ ok: true, result: { acquired: true } })
    await Promise.all([holder.close(), resumed.close()])
  })

  test('one that came with the upgrade is used, by header or query', async () => {
    const url = cluster().nodes[0]?.url ?? ''
    const opened = await fetch(`${url}/v1/sessions`, { method: 'POST' })
    const { session } = (await opened.json()) as { session: string }
    const byHeader = await connect({ headers: { 'tricord-session': session } })
    const grant = await byHeader.result('lock.acquire', { name: 'foreign' })
    expect(grant['session']).toBe(session)
    expect(await byHeader.result('session.open')).toEqual({ session, ttlMs: 30_000 })
    await byHeader.close()
    const byQuery = await connect({ path: `/ws?session=${session}` })
    expect(await byQuery.result('lock.release', { name: 'foreign', grantId: grant['grantId'] })).toMatchObject({ released: true })
    await byQuery.close()
    const kept = await fetch(`${url}/v1/sessions/${session}/keepalive`, { method: 'POST', headers: { 'tricord-session': session } })
    expect(kept.status).toBe(200)
  })

  test('closed, the next acquire opens another', async () => {
    const client = await connect()
    const first = await client.result('lock.acquire', { name: 'reopened' })
    client.send([
      { id: 'c', op: 'session.close' },
      { id: 'a', op: 'lock.acquire', name: 'reopened' },
    ])
    expect(await client.answer('c')).toMatchObject({ result: { closed: true, released: 1 } })
    expect((await client.answer('a'))['result'].session).not.toBe(first['session'])
    await client.close()
  })

  test('an idempotency key gives the same grant twice, and refuses another meaning', async () => {
    const client = await connect()
    const members = { name: 'keyed', idempotencyKey: 'k-1', owner: 'o' }
    const [one, two] = await Promise.all([client.result('lock.acquire', members), client.result('lock.acquire', members)])
    expect(two['grantId']).toBe(one['grantId'])
    const other = await client.call('lock.acquire', { ...members, owner: 'p' })
    expect(other).toMatchObject({ error: { code: 'IDEMPOTENCY_KEY_REUSED', status: 422 } })
    const { session } = await client.result('session.open')
    const http = await fetch(`${cluster().nodes[0]?.url}/v1/locks/keyed/acquire`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'k-1', 'tricord-session': String(session) },
      body: JSON.stringify({ owner: 'o' }),
    })
    expect(await http.json()).toMatchObject({ grantId: one['grantId'] })
    await client.close()
  })
})

describe('refusals', () => {
  test('a handshake without a known subprotocol, path, session or namespace', async () => {
    expect(await refused([])).toMatchObject({ status: 400, code: 'INVALID_ARGUMENT' })
    expect(await refused(['mqtt'])).toMatchObject({ status: 400, code: 'INVALID_ARGUMENT' })
    expect(await refused(['tricord.v1.json'], {}, '/v1/other')).toMatchObject({ status: 404, code: 'NOT_FOUND' })
    expect(await refused(['tricord.v1.json'], { 'tricord-session': 'nonsense' })).toMatchObject({ status: 401 })
    expect(await refused(['tricord.v1.json'], { 'tricord-namespace': 'a b' })).toMatchObject({ status: 400 })
  })

  test('a faulty request is answered under its id, and the connection goes on', async () => {
    const client = await connect()
    const code = async (op: string, members: Record<string, unknown> = {}) => (await client.call(op, members))['error'].code as string
    expect(await code('lock.acquire', {})).toBe('INVALID_ARGUMENT')
    expect(await code('lock.acquire', { name: 'x', leese: 1 })).toBe('INVALID_ARGUMENT')
    expect(await code('lock.acquire', { name: 'x', namespace: 'a b' })).toBe('INVALID_ARGUMENT')
    expect(await code('lock.release', { name: 'x', grantId: 7 })).toBe('INVALID_ARGUMENT')
    expect(await code('lock.fly')).toBe('INVALID_ARGUMENT')
    expect(await code('toString')).toBe('INVALID_ARGUMENT')
    expect(await code('session.keepalive')).toBe('NOT_FOUND')
    expect(await code('session.resume', { session: 'nonsense' })).toBe('UNAUTHENTICATED')
    expect(await code('lock.acquire', { name: 'x', idempotencyKey: 7 })).toBe('INVALID_ARGUMENT')
    const problem = await client.call('lock.acquire', { name: 'x', waitMs: -1 })
    expect(problem['error']).toMatchObject({ status: 400, errors: [{ path: 'waitMs' }], outcome: 'not-applied', retryable: false })
    await client.result('ping')
    await client.close()
  })

  test('a busy lock refuses, or says so', async () => {
    const [holder, other] = [await connect(), await connect()]
    await holder.result('lock.acquire', { name: 'busy', owner: 'h' })
    expect(await other.call('lock.acquire', { name: 'busy' })).toMatchObject({ error: { code: 'LOCK_HELD', status: 423 } })
    const busy = await other.result('lock.acquire', { name: 'busy', onBusy: 'result' })
    expect(busy).toMatchObject({ acquired: false, holders: [{ owner: 'h' }] })
    await Promise.all([holder.close(), other.close()])
  })

  test.each([
    ['text that is not JSON', 'tricord.v1.json', '{'],
    ['a number', 'tricord.v1.json', '7'],
    ['no id', 'tricord.v1.json', '{"op":"ping"}'],
    ['an empty array', 'tricord.v1.json', '[]'],
    ['too large an array', 'tricord.v1.json', JSON.stringify(Array.from({ length: 1_001 }, (_, id) => ({ id, op: 'ping' })))],
    ['bytes', 'tricord.v1.json', Buffer.from('{"id":1,"op":"ping"}')],
    ['text', 'tricord.v1.msgpack', '{"id":1,"op":"ping"}'],
    ['malformed bytes', 'tricord.v1.msgpack', Buffer.from([0xc1])],
    ['an extension type', 'tricord.v1.msgpack', Buffer.from([0xd6, 0xff, 0, 0, 0, 0])],
  ])('garbage (%s over %s): an error without id, and in the end the door', async (_what, protocol, garbage) => {
    const client = await connect({ protocol })
    for (let i = 0; i < 15; i++) client.socket.send(garbage)
    await client.result('ping')
    const errors = (client.frames.flat() as Answer[]).filter((answer) => answer['id'] === null)
    expect(errors).toHaveLength(15)
    expect(errors[0]).toMatchObject({ ok: false, error: { code: 'INVALID_ARGUMENT' } })
    client.socket.send(garbage)
    expect(await client.closed).toBe(1008)
  })

  test('an oversized frame ends the connection with 1009', async () => {
    const client = await connect()
    client.socket.send('x'.repeat(2_097_153))
    expect(await client.closed).toBe(1009)
  })

  test('beyond 10,000 unanswered requests each further one is refused', async () => {
    const client = await connect()
    await client.result('lock.acquire', { name: 'deep' })
    const frame = (from: number) =>
      Array.from({ length: 1_000 }, (_, i) => ({ id: `w${from + i}`, op: 'lock.acquire', name: 'deep', waitMs: 50_000 }))
    for (let from = 0; from < 10_000; from += 1_000) client.send(frame(from))
    client.send({ id: 'over', op: 'ping' })
    expect(await client.answer('over')).toMatchObject({ error: { code: 'OVERLOADED', status: 429 } })
    client.socket.terminate()
    await client.closed
  })
})

test('a reader that does not read gets every answer once it does', async () => {
  const client = await connect()
  const count = 400
  const faults = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`member-${i}`, 0]))
  client.socket.pause()
  for (let id = 0; id < count; id++) client.send({ id, op: 'lock.acquire', name: 'x', ...faults })
  // Another connection is served meanwhile.
  const other = await connect()
  await other.result('ping')
  await other.close()
  client.socket.resume()
  const answers = await Promise.all(Array.from({ length: count }, (_, id) => client.answer(id)))
  expect(answers.every((answer) => answer['error'].errors.length === 500)).toBe(true)
  await client.close()
})

test('an upgrade to anything else is served as if it had not been asked for', async () => {
  const body = JSON.stringify({ owner: 'java' })
  const headers = {
    connection: 'Upgrade, HTTP2-Settings',
    upgrade: 'h2c',
    'content-type': 'application/json',
    'content-length': body.length,
  }
  const sent = httpRequest(`${cluster().nodes[0]?.url}/v1/locks/h2c/acquire`, { method: 'POST', headers })
  sent.end(body)
  const [response] = await once(sent, 'response')
  expect(response.statusCode).toBe(200)
  response.resume()
})

test('across nodes, and 1001 when a node stops', async () => {
  const three = await startInMemory(3)
  const [a, b] = [await connect({ of: three, node: 0 }), await connect({ of: three, node: 1, protocol: 'tricord.v1.msgpack' })]
  const { grantId } = await a.result('lock.acquire', { name: 'across' })
  const waits = b.call('lock.acquire', { name: 'across', waitMs: 50_000 })
  await untilStatus(a, 'across', (status) => status['queueLength'] === 1)
  await a.result('lock.release', { name: 'across', grantId })
  expect(await waits).toMatchObject({ ok: true })
  const stopped = three.stop()
  expect(await Promise.all([a.closed, b.closed])).toEqual([1001, 1001])
  await stopped
})
