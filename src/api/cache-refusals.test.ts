/**
 * Refusals of caches that need a cluster in trouble: disks that are low or stand still, a node that is cut off or stops, partitions that
 * are full. One row per code, on whole nodes, over HTTP and over WebSocket: the answer is the code's, in time, and nothing is half done.
 */
import { expect, test } from 'vitest'
import { IN_FLIGHT_MAX } from './socket/connection.ts'
import { FaultBed, type FaultyNode } from '../../test/fault-bed.ts'
import { type SocketClient, openSocket } from '../../test/socket-client.ts'
import { untold } from '../../test/told-answer.ts'
import { createCaches } from '../cache/facade.ts'
import { MACHINE_LIMITS } from '../cache/machine/commands.ts'
import { CACHE_LIMITS, type Caches, type NewValue } from '../cache/types.ts'

type Answer = { readonly status: number; readonly headers: Headers; readonly body: Record<string, unknown> }
/** Below /v1; a put takes its body as it is, anything else as JSON. */
type Call = readonly [method: string, path: string, body?: unknown]
type SocketCall = readonly [op: string, members: Record<string, unknown>]

interface Row {
  readonly code: string
  readonly why: string
  readonly status: number
  readonly outcome: 'not-applied' | 'unknown'
  /** Of what is refused. Everything is asked of the last node. */
  readonly http: readonly Call[]
  readonly socket: readonly SocketCall[]
  /** What the trouble is; returns how it ends, where it does. */
  readonly begin: (bed: FaultBed, last: FaultyNode, client: SocketClient) => Promise<(() => void) | null>
  /** Members of the problem besides those that each has. */
  readonly more?: Record<string, unknown>
  /** Where the trouble takes its time. */
  readonly commandTimeoutMs?: number
  /** Meanwhile, of what is not refused. */
  readonly meanwhile?: (last: FaultyNode) => Promise<void>
  /** Once the trouble is over. */
  readonly afterwards?: (last: FaultyNode) => Promise<void>
}

/** Nobody is elected because this machine is busy. */
const SETS = ['cluster.partitions=1', 'consensus.segment_bytes=1048576', 'consensus.election_timeout_ms=1500']
const HINT = { hint: expect.any(String) as string }
const JSON_TYPE = { 'content-type': 'application/json' }
const OPTIONS = { timeoutMs: 20_000 }
const PATIENCE = { timeout: 20_000 }
const TEXT: NewValue = { value: Buffer.from('v'), contentType: 'text/plain', ttlMs: null, slidingMs: 0, tags: [] }

async function send({ url }: FaultyNode, [method, path, body]: Call, headers: Record<string, string> = {}): Promise<Answer> {
  const isJson = body !== undefined && typeof body !== 'string'
  const response = await fetch(`${url}/v1/${path}`, {
    method,
    headers: { ...(isJson && JSON_TYPE), ...headers },
    ...(body !== undefined && { body: isJson ? JSON.stringify(body) : body }),
  })
  const { status, headers: had } = response
  const text = await response.text()
  const isValue = had.has('content-security-policy') || text === ''
  if (isValue) return { status, headers: had, body: { text } }
  const parsed = JSON.parse(text) as Answer['body']
  expect(untold(method, `/v1/${path}`, status, parsed)).toBe('')
  return { status, headers: had, body: parsed }
}

const get = (node: FaultyNode, path: string) => send(node, ['GET', `caches/${path}`])
const put = (node: FaultyNode, path: string, headers = {}) => send(node, ['PUT', `caches/${path}`, 'v'], headers)
const cachesOf = ({ node }: FaultyNode): Caches => createCaches(node.system, node.id)
const socketOf = ({ url }: FaultyNode): Promise<SocketClient> => openSocket(`${url.replace('http', 'ws')}/v1/ws`, 'tricord.v1.json')

const WRITES: readonly Call[] = [
  ['PUT', 'caches/c/entries/new', 'v'],
  ['POST', 'caches/c/entries/n/incr', { by: 1 }],
  ['POST', 'caches/c/entries/load/load', {}],
]
const SOCKET_WRITES: readonly SocketCall[] = [
  ['cache.put', { cache: 'c', key: 'new', data: 1 }],
  ['cache.incr', { cache: 'c', key: 'n' }],
]
const REMOVALS: readonly Call[] = [
  ['DELETE', 'caches/c/entries/there'],
  ['POST', 'caches/c:invalidate', { keys: ['there'] }],
]
const SOCKET_REMOVAL: SocketCall = ['cache.delete', { cache: 'c', key: 'there' }]

/** Nothing of what was refused has been done. */
async function untouched(node: FaultyNode): Promise<void> {
  await expect.poll(async () => (await get(node, 'c/entries/there')).body, PATIENCE).toEqual({ text: 'v' })
  for (const key of ['new', 'n', 'load']) expect((await get(node, `c/entries/${key}`)).status).toBe(404)
  await expect.poll(async () => (await put(node, 'c/entries/after')).status, PATIENCE).toBeLessThan(300)
}

const ROWS: readonly Row[] = [
  {
    code: 'QUOTA',
    why: 'a partition has as many caches as it may',
    status: 429,
    outcome: 'not-applied',
    more: HINT,
    http: [
      ['PUT', 'caches/another/entries/k', 'v'],
      ['POST', 'caches/another/entries/n/incr', {}],
      ['POST', 'tx', { ops: [{ cachePut: { cache: 'another', key: 'k', data: 1 } }] }],
    ],
    socket: [
      ['cache.put', { cache: 'another', key: 'k', data: 1 }],
      ['cache.incr', { cache: 'another', key: 'n' }],
    ],
    async begin(_, last) {
      const caches = cachesOf(last)
      // `c` is one of them.
      const names = Array.from({ length: CACHE_LIMITS.cachesPerPartitionMax - 1 }, (_name, nth) => `c${nth}`)
      for (let from = 0; from < names.length; from += 500)
        await Promise.all(
          names.slice(from, from + 500).map((cache) => caches.put({ namespace: 'default', cache, key: 'k' }, TEXT, null, null, OPTIONS)),
        )
      return null
    },
    async meanwhile(last) {
      expect((await put(last, 'c7/entries/k')).status).toBe(200)
      expect((await get(last, 'another/entries/k')).status).toBe(404)
      expect((await send(last, ['DELETE', 'caches/c7/entries/k'])).status).toBe(204)
      expect((await put(last, 'another/entries/k')).status).toBe(201)
    },
  },
  {
    code: 'OVERLOADED',
    why: 'as many as may wait for a key',
    status: 429,
    outcome: 'not-applied',
    more: HINT,
    http: [['POST', 'caches/c/entries/busy/load', { waitMs: 20_000 }]],
    socket: [],
    async begin(_, last) {
      const caches = cachesOf(last)
      const name = { namespace: 'default', cache: 'c', key: 'busy' }
      const load = (waitMs: number) => caches.load(name, { waitMs, staleOk: false, tags: [] }, OPTIONS)
      const granted = await load(0)
      const waiting = Array.from({ length: MACHINE_LIMITS.waitersPerLoadMax + 1 }, () => load(20_000))
      void Promise.allSettled(waiting)
      // The one that is refused says that the others wait.
      await expect(Promise.race(waiting)).rejects.toMatchObject({ code: 'OVERLOADED' })
      return () => {
        const token = granted.type === 'load' ? granted.loadToken : null
        void caches.put(name, TEXT, null, token, OPTIONS)
      }
    },
    async meanwhile(last) {
      expect((await send(last, ['POST', 'caches/c/entries/busy/load', {}])).body).toMatchObject({ code: 'OWNER_BUSY' })
      expect((await send(last, ['POST', 'caches/c/entries/other/load', {}])).status).toBe(202)
    },
    async afterwards(last) {
      await expect.poll(async () => (await get(last, 'c/entries/busy')).status, PATIENCE).toBe(200)
      expect((await send(last, ['POST', 'caches/c/entries/busy/load', { waitMs: 20_000 }])).status).toBe(200)
    },
  },
  {
    code: 'OVERLOADED',
    why: 'as many requests of a connection as may be are unanswered',
    status: 429,
    outcome: 'not-applied',
    commandTimeoutMs: 30_000,
    http: [],
    socket: [...SOCKET_WRITES, SOCKET_REMOVAL, ['cache.get', { cache: 'c', key: 'there' }]],
    async begin({ nodes }, _, client) {
      for (const { writes } of nodes) writes.close()
      for (let nth = 0; nth < IN_FLIGHT_MAX; nth++) client.send({ id: nth, op: 'cache.put', cache: 'c', key: 'many', data: nth })
      return () => nodes.forEach(({ writes }) => writes.open())
    },
    afterwards: untouched,
  },
  {
    code: 'NO_QUORUM',
    why: 'the node is cut off',
    status: 503,
    outcome: 'not-applied',
    http: [
      ...WRITES,
      ...REMOVALS,
      ['GET', 'caches/c/entries/there'],
      ['GET', 'caches/c'],
      ['GET', 'caches/c/lines/there'],
      ['PUT', 'caches/c', { ttlMs: 5 }],
      ['POST', 'caches/c:mget', { keys: ['there'] }],
      ['POST', 'caches/c:invalidate', { all: true }],
    ],
    socket: [...SOCKET_WRITES, SOCKET_REMOVAL, ['cache.get', { cache: 'c', key: 'there' }], ['cache.subscribe', { cache: 'c', all: true }]],
    async begin(bed, last) {
      bed.cutOff(last)
      // Its copies are read as long as its lease lasts.
      await expect.poll(async () => (await get(last, 'c/entries/there')).status, PATIENCE).toBe(503)
      return () => bed.heal()
    },
    afterwards: untouched,
  },
  {
    code: 'STARTING',
    why: 'the node behind the gateway has stopped',
    status: 503,
    outcome: 'not-applied',
    http: [...WRITES, ...REMOVALS, ['GET', 'caches/c/entries/there'], ['GET', 'caches/c'], ['POST', 'caches/c:invalidate', { all: true }]],
    socket: [...SOCKET_WRITES, SOCKET_REMOVAL, ['cache.get', { cache: 'c', key: 'there' }]],
    async begin(_, last) {
      await last.stopNode()
      return null
    },
  },
  {
    code: 'UNKNOWN_OUTCOME',
    why: 'no disk comes to an end',
    status: 504,
    outcome: 'unknown',
    http: [...WRITES, ...REMOVALS],
    socket: [...SOCKET_WRITES, SOCKET_REMOVAL],
    async begin({ nodes }) {
      for (const { writes } of nodes) writes.close()
      return () => nodes.forEach(({ writes }) => writes.open())
    },
    async meanwhile(last) {
      const entries = [{ key: 'new', data: 1 }]
      const { status, body } = await send(last, ['POST', 'caches/c:mput', { entries }])
      expect([status, body['results']]).toMatchObject([200, [{ key: 'new', code: 'UNKNOWN_OUTCOME', outcome: 'unknown' }]])
      expect(await send(last, ['POST', 'caches/keyed/entries/n/incr', { by: 5 }], { 'idempotency-key': 'k' })).toMatchObject({
        status: 504,
      })
    },
    async afterwards(last) {
      // Done at most once: the same under its key.
      const again = () => send(last, ['POST', 'caches/keyed/entries/n/incr', { by: 5 }], { 'idempotency-key': 'k' })
      await expect.poll(async () => (await again()).body, PATIENCE).toMatchObject({ value: 5 })
      expect((await get(last, 'keyed/entries/n')).body).toEqual({ text: '5' })
    },
  },
  {
    code: 'DISK_LOW',
    why: 'all disks are full',
    status: 507,
    outcome: 'not-applied',
    http: [...WRITES, ['PUT', 'caches/c', { ttlMs: 5 }], ['POST', 'tx', { ops: [{ cachePut: { cache: 'c', key: 'new', data: 1 } }] }]],
    socket: [...SOCKET_WRITES, ['cache.subscribe', { cache: 'c', all: true, mode: 'linearizable' }]],
    async begin({ nodes }, last) {
      for (const { disk } of nodes) disk.freeBytes = 0
      await expect.poll(async () => (await put(last, 'c/entries/there')).status, PATIENCE).toBe(507)
      return () => nodes.forEach(({ disk }) => (disk.freeBytes = 2 ** 40))
    },
    async meanwhile(last) {
      const { body } = await send(last, ['POST', 'caches/c:mput', { entries: [{ key: 'new', data: 1 }] }])
      expect(body['results']).toMatchObject([{ key: 'new', code: 'DISK_LOW', outcome: 'not-applied' }])
      expect((await get(last, 'c/entries/there')).status).toBe(200)
      expect((await send(last, ['DELETE', 'caches/c/entries/gone'])).status).toBe(204)
      expect((await send(last, ['POST', 'caches/c:invalidate', { keys: ['gone'] }])).body).toEqual({ invalidated: 0 })
      expect((await get(last, 'c/entries/gone')).status).toBe(404)
    },
    afterwards: untouched,
  },
]

test.each(ROWS)(
  '$code: $why',
  async ({ code, status, outcome, more, commandTimeoutMs, http, socket, begin, meanwhile, afterwards }) => {
    const bed = await FaultBed.start(3, SETS, commandTimeoutMs)
    const last = bed.nodes.at(-1) as FaultyNode
    const problem = { code, status, outcome, retryable: true, title: expect.any(String) as string, ...more }
    try {
      for (const key of ['there', 'gone']) expect((await put(last, `c/entries/${key}`)).status).toBe(201)
      const client = await socketOf(last)
      const end = await begin(bed, last, client)
      const answers = Promise.all(http.map(async (call) => ({ call, ...(await send(last, call)) })))
      const replies = Promise.all(socket.map(async (call) => ({ call, ...(await client.call(...call)) })))
      for (const answer of await answers) {
        expect(answer, String(answer.call)).toMatchObject({ status, body: problem })
        expect(answer.headers.get('retry-after')).toBe([429, 503].includes(status) ? '1' : null)
      }
      for (const reply of await replies) expect(reply, reply.call[0]).toMatchObject({ ok: false, error: problem })
      await meanwhile?.(last)
      end?.()
      await afterwards?.(last)
      await client.close()
    } finally {
      await bed.stop()
    }
  },
  240_000,
)
