/**
 * Clients that keep what they are lent, under writes on other nodes, while homes leave: whatever they serve is no older than any write that
 * was answered, and than anything that was read elsewhere, before they served it.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Prng } from '../src/base/prng.ts'
import { LentClient } from './cache/lent-client.ts'
import { startInMemory } from './embedded-bed.ts'
import { type Answer, type SocketClient, openSocket } from './socket-client.ts'

const KEYS = 40
const CACHE = 'load'
const TAGGED = 4
/** Of each client, until it is over. */
const [HITS_MIN, EVENTS_MIN] = [100, 50]

test('no hit is older than what was told before', async () => {
  const cluster = await startInMemory(3, ['cluster.partitions=6', 'consensus.segment_bytes=1048576'])
  const connect = (nth: number): Promise<SocketClient> =>
    openSocket(`${cluster.nodes[nth]!.url.replace('http', 'ws')}/v1/ws`, 'tricord.v1.json')
  const random = new Prng(7)
  /** By key: the newest version that somebody was told. */
  const told = new Map<string, number>()
  const know = (key: string, version: number): void => void told.set(key, Math.max(version, told.get(key) ?? 0))
  const [first, second, reader] = [await connect(0), await connect(1), await connect(1)]
  const sockets = [first, second, reader]
  let [writes, isOver] = [0, false]
  let [goal, reached] = [0, (): void => {}]
  const pick = (): string => `k${Math.floor(KEYS * random.next() ** 2)}`

  const write = async (socket: SocketClient): Promise<void> => {
    for (let nth = 0; !isOver; nth++) {
      const key = pick()
      const tags = nth % TAGGED === 0 ? { tags: ['t'] } : {}
      const answer: Answer = await socket.call('cache.put', { cache: CACHE, key, data: nth, ...tags })
      if (answer['ok'] !== true) continue
      know(key, (answer['result'] as { version: number }).version)
      writes += 1
      if (writes === goal) reached()
    }
  }
  const readElsewhere = async (): Promise<void> => {
    while (!isOver) {
      const key = pick()
      const answer = await reader.call('cache.get', { cache: CACHE, key })
      if (answer['ok'] === true) know(key, (answer['result'] as { version: number }).version)
    }
  }
  const clients = [0, 0, 1].map((nth) => LentClient.connect(cluster.nodes[nth]!.url, { cache: CACHE, all: true }))
  const near = await Promise.all(clients)
  const serve = async (client: LentClient): Promise<void> => {
    while (!isOver) {
      const key = pick()
      const before = told.get(key) ?? 0
      // Where it is not refused or not there: what has died by its tag has no version.
      const version = await client.get(CACHE, key).catch(() => null)
      if (version !== null) {
        expect(version, key).toBeGreaterThanOrEqual(before)
        know(key, version)
      }
      await nextTurn()
    }
  }
  const invalidate = async (): Promise<void> => {
    while (!isOver) {
      await fetch(`${cluster.nodes[1]!.url}/v1/caches/${CACHE}:invalidate`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"tags":["t"]}',
      })
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const running = [write(first), write(second), readElsewhere(), invalidate(), ...near.map(serve)]
  const ended = Promise.all(running)
  const until = async (more: number): Promise<void> => {
    goal = writes + more
    await Promise.race([ended, new Promise<void>((resolve) => (reached = resolve))])
  }
  await until(400)
  await cluster.nodes[2]!.stop()
  await until(400)
  // One that is cut off for a while and serves on, and one whose connection is lost.
  near[0]!.stop()
  await until(50)
  near[0]!.goOn()
  near[1]!.socket.terminate()
  await until(400)
  const kept = [near[0]!, near[2]!]
  while (kept.some(({ hits, events }) => hits <= HITS_MIN || events.length <= EVENTS_MIN)) await until(50)
  isOver = true
  await ended
  for (const { hits, misses, events, resets } of kept) {
    process.stdout.write(`lent: ${hits} hits, ${misses} misses, ${events.length} called back, ${resets} resets\n`)
  }
  await Promise.all([...sockets, ...kept].map((socket) => socket.close()))
  await Promise.all(cluster.nodes.slice(0, 2).map((node) => node.stop()))
})
