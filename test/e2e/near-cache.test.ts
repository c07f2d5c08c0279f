/**
 * Near caches over real sockets, processes and NATS: whatever is lost, doubled or swapped on the way, whichever gateway dies, however
 * long a client stands still or does not read, no hit is older than the lease, and in the end what is held is what there is.
 */
import { once } from 'node:events'
import { setTimeout as pass } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { type SocketClient, openSocket } from '../socket-client.ts'
import { startFrameProxy } from './frame-proxy.ts'
import { NearSocket } from './near-socket.ts'
import { type ProcessCluster, call, startProcesses } from './processes.ts'

const LEASE_MS = 3_000
const STILL_MS = 10_000
/** The kernel keeps some megabytes of each. */
const SLOW_SOCKETS = 40
const BATCH = 256
/** More than homes remember of a partition. */
const OVERRUN_BATCHES = 33
const ROUND = 50
/** Of one writer, one reader: so that what was read is there for a while. */
const WRITE_EVERY_MS = 15
const READ_EVERY_MS = 1

let cluster: ProcessCluster
const ends: (() => void)[] = []
beforeAll(async () => {
  cluster = await startProcesses({ sets: ['cluster.partitions=8'] })
})
afterAll(async () => {
  for (const end of ends) end()
  await cluster.stop()
})

const ws = (nth: number): string => cluster.nodes[nth]!.url.replace('http', 'ws')
const socketOf = (nth: number): Promise<SocketClient> => openSocket(`${ws(nth)}/v1/ws`, 'tricord.v1.json')

function near(cache: string, what: Record<string, unknown>, urls: readonly string[]): NearSocket {
  const client = new NearSocket({ cache, what, urls })
  ends.push(() => client.close())
  return client
}

/** Writes that were answered, and when. */
class Answered {
  readonly #byKey = new Map<string, { readonly version: number; readonly at: number }[]>()
  lastAt = 0

  push(key: string, version: number): void {
    this.lastAt = performance.now()
    const known = this.#byKey.get(key)
    if (known === undefined) this.#byKey.set(key, [{ version, at: this.lastAt }])
    else known.push({ version, at: this.lastAt })
  }

  /** What nobody may be served any more who has heard of nothing for longer than a lease. */
  versionBefore(key: string, at: number): number {
    return Math.max(0, ...(this.#byKey.get(key) ?? []).filter((one) => one.at < at).map(({ version }) => version))
  }
}

/** Writes again and again until `isOver`, each until it is answered. */
async function write(nths: readonly number[], cache: string, keys: readonly string[], answered: Answered, isOver: () => boolean) {
  for (let nth = 0; !isOver(); nth++) {
    const key = keys[nth % keys.length]!
    const { url } = cluster.nodes[nths[nth % nths.length]!]!
    const { status, body } = await call(url, 'PUT', `/v1/caches/${cache}/entries/${key}`, { nth }).catch(() => ({
      status: 0,
      body: {},
    }))
    if (status === 200 || status === 201) answered.push(key, (body as { version: number }).version)
    await pass(WRITE_EVERY_MS)
  }
}

/** Reads here and there, each key twice in a row, and judges every hit. */
class Reader {
  hits = 0
  readonly client: NearSocket
  readonly keys: readonly string[]

  constructor(client: NearSocket, keys: readonly string[]) {
    this.client = client
    this.keys = keys
  }

  async run(answered: Answered, isOver: () => boolean): Promise<void> {
    for (let nth = 0; !isOver(); nth++) {
      const key = this.keys[((nth >> 1) * 7) % this.keys.length]!
      const at = performance.now()
      const held = this.client.hit(key)
      if (held !== undefined) {
        this.hits++
        expect(held.version, `of ${key}`).toBeGreaterThanOrEqual(answered.versionBefore(key, at - LEASE_MS))
      } else await this.client.fill(key)
      await pass(READ_EVERY_MS)
    }
  }

  /** Until so many more changes were told, and so many more hits found, however long either takes. */
  async goneOn(count: number): Promise<void> {
    const [toldBefore, hitsBefore] = [this.client.counts.told, this.hits]
    while (this.client.counts.told < toldBefore + count || this.hits < hitsBefore + count) await this.client.next()
  }
}

async function expectAgreement(client: NearSocket, cache: string, keys: readonly string[], nth: number): Promise<void> {
  const reader = await socketOf(nth)
  for (const key of keys) {
    const { version } = await reader.result('cache.get', { cache, key })
    const held = client.near.held(key)
    if (held !== undefined) expect(held.version, `of ${key}`).toBe(version)
  }
  await reader.close()
}

describe.concurrent('clients that stand still', () => {
  test('a lease that was not renewed stops hits, and nothing need be read again that did not change', async () => {
    const writer = await socketOf(1)
    const put = (key: string) => writer.result('cache.put', { cache: 'still', key, data: key })
    await Promise.all(['same', 'other'].map(put))
    const client = near('still', { prefix: 'o' }, [ws(2)])
    const all = near('still', { all: true }, [ws(2)])
    for (const one of [client, all]) await one.settled(performance.now())
    await Promise.all([all.fill('same'), all.fill('other')])
    expect([all.hit('same'), all.hit('other')]).not.toContain(undefined)
    all.pause()
    const pausedAt = performance.now()
    const { version } = (await put('other')) as { version: number }
    // The other one is told within its lease; this one stands still for longer than that.
    while (performance.now() - pausedAt < STILL_MS) await client.next()
    expect([all.near.isConnected, all.hit('same'), all.hit('other')]).toEqual([true, undefined, undefined])
    expect(all.near.held('other')!.version).toBeLessThan(version)
    all.resume()
    await all.settled(performance.now())
    expect(all.hit('same')).toBeDefined()
    expect(all.hit('other')).toBeUndefined()
    expect(all.counts).toMatchObject({ resets: 0, connections: 1 })
    await writer.close()
  })

  test('sockets that do not read: nothing is kept for them; they hear the rest, or that it is too much', async () => {
    const [healthy, writer] = [await socketOf(0), await socketOf(1)]
    const events = async (count: number): Promise<void> => {
      for (let nth = 0; nth < count; nth++) await healthy.answer('cache.invalidate')
    }
    const { cursor, seq } = await healthy.result('cache.subscribe', { cache: 'slow', all: true, mode: 'events' })
    const slow = await Promise.all(Array.from({ length: SLOW_SOCKETS }, () => openSlow(`${ws(0)}/v1/ws`)))
    ends.push(() => slow.forEach(({ socket }) => socket.terminate()))
    let batches = 0
    // On one partition, and long, so that they hold back soon.
    const batch = async (): Promise<void> => {
      const entries = Array.from({ length: BATCH }, (_, nth) => ({ key: `{p}${String(nth).padStart(480, 'k')}`, data: batches }))
      const { status } = await call(cluster.nodes[1]!.url, 'POST', '/v1/caches/slow:mput', { entries })
      expect(status).toBe(200)
      batches++
      await events(BATCH)
    }
    const told = async (): Promise<number> => {
      const text = await (await fetch(`${cluster.nodes[0]!.url}/metrics`)).text()
      return Number(/^cache_subscription_events_total\{[^}]*event="invalidate"[^}]*\} (\d+)$/m.exec(text)?.[1] ?? 0)
    }
    let before = await told()
    for (let last = 0; last !== BATCH;) {
      await batch()
      const now = await told()
      last = now - before
      before = now
    }
    const held = batches
    while (batches < held + OVERRUN_BATCHES) await batch()
    // Only who reads was told.
    expect((await told()) - before).toBe(BATCH * OVERRUN_BATCHES)
    const ended = await Promise.all(slow.map((one) => one.heard(BATCH * batches)))
    console.log(`${SLOW_SOCKETS} slow sockets were told of ${held - 1} of ${batches} batches; then ${JSON.stringify(countsOf(ended))}`)
    expect(ended).not.toContain('everything')
    // Who comes back later than anybody remembers is told so; of keys, which.
    const late = await socketOf(2)
    const { seq: begun } = await late.result('cache.subscribe', { cache: 'slow', all: true, from: seq, cursor, mode: 'events' })
    expect(await late.answer('cache.reset')).toMatchObject({ seq: begun + 1 })
    await Promise.all([healthy, writer, late].map((socket) => socket.close()))
  })
})

test('frames are lost, doubled and swapped, and a gateway dies: hits are never older than the lease, and in the end all agree', async () => {
  const keys = Array.from({ length: 24 }, (_, nth) => `k${nth}`)
  const mangling = { dropEvery: 7, doubleEvery: 5, swapEvery: 11 }
  const proxies = await Promise.all([0, 1, 2].map((nth) => startFrameProxy(`${ws(nth)}/v1/ws`, mangling)))
  ends.push(() => proxies.forEach((proxy) => proxy.close()))
  const urls = proxies.map(({ url }) => url)
  const answered = new Answered()
  let isOver = false
  // Each begins at another gateway; the first one is about to die.
  const readers = [
    new Reader(near('mangled', { all: true }, urls), keys),
    new Reader(
      near('mangled', { prefix: 'k1' }, [urls[1]!, urls[2]!]),
      keys.filter((key) => key.startsWith('k1')),
    ),
    new Reader(near('mangled', { keys }, [urls[2]!, urls[1]!]), keys),
  ]
  const clients = readers.map(({ client }) => client)
  for (const client of clients) await client.settled(performance.now())
  const over = (): boolean => isOver
  const writers = [0, 1, 2].map((nth) => write([1, 2], 'mangled', keys.slice(8 * nth, 8 * nth + 8), answered, over))
  const reads = readers.map((reader) => reader.run(answered, over))
  const scene = async (): Promise<void> => {
    await Promise.all(readers.map((reader) => reader.goneOn(ROUND)))
    await cluster.nodes[0]!.kill()
    await Promise.all(readers.map((reader) => reader.goneOn(ROUND)))
  }
  // A stale hit ends it as well.
  await Promise.race([scene(), Promise.all(reads)]).finally(() => {
    isOver = true
  })
  await Promise.all([...writers, ...reads])
  for (const [nth, { client, keys: ofClient }] of readers.entries()) {
    await client.settled(answered.lastAt)
    await expectAgreement(client, 'mangled', ofClient, 1 + (nth % 2))
  }
  const mangled = proxies.map(({ counts }) => counts)
  console.log(
    `${readers.map(({ hits }) => hits).join(' ')} hits; ${JSON.stringify(clients.map(({ counts }) => counts))}; ${JSON.stringify(mangled)}`,
  )
  // Whoever comes back has a cursor, and two that live remember everything.
  for (const { counts } of clients) expect(counts.resets).toBe(0)
  expect(clients[0]!.counts.connections).toBeGreaterThan(1)
  for (const counts of mangled.slice(1)) expect(Math.min(counts.dropped, counts.doubled, counts.swapped)).toBeGreaterThan(0)
})

type Ending = 'everything' | 'reset' | 'closed'

interface Slow {
  readonly socket: WebSocket
  /** Once it reads: whether it was told of so many changes, has to begin anew, or was cut off. */
  heard(count: number): Promise<Ending>
}

/** Subscribed to everything, and not read any more from then on. */
async function openSlow(url: string): Promise<Slow> {
  const socket = new WebSocket(url, ['tricord.v1.json'])
  await once(socket, 'open')
  socket.send(JSON.stringify({ id: 1, op: 'cache.subscribe', cache: 'slow', all: true }))
  const [answer] = (await once(socket, 'message')) as [Buffer]
  let { seq } = (JSON.parse(answer.toString()) as { result: { seq: number } }).result
  socket.pause()
  const heard = (count: number): Promise<Ending> =>
    new Promise((resolve, reject) => {
      let told = 0
      socket.on('close', () => resolve('closed'))
      socket.on('error', () => resolve('closed'))
      if (socket.readyState !== WebSocket.OPEN) resolve('closed')
      socket.on('message', (data: Buffer) => {
        const frame = JSON.parse(data.toString()) as { event: string; seq: number } | { event: string; seq: number }[]
        for (const event of Array.isArray(frame) ? frame : [frame]) {
          if (event.event === 'cache.beat') continue
          if (event.seq !== ++seq) reject(new Error(`${event.seq} came where ${seq} was next`))
          if (event.event === 'cache.reset') resolve('reset')
          else if (++told === count) resolve('everything')
        }
      })
      socket.resume()
    })
  return { socket, heard }
}

function countsOf(ended: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const end of ended) counts[end] = (counts[end] ?? 0) + 1
  return counts
}
