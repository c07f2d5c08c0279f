/**
 * Lines that a node writes alone, again and again (`writeback`): an invalidation of them from elsewhere has its end, though each of them
 * is written again as soon as it is given back.
 */
import { expect, test } from 'vitest'
import { Prng } from '../src/base/prng.ts'
import { CacheCluster } from './cache-cluster.ts'
import { textValue } from './cache/text-value.ts'

const NAME = { namespace: 'default', cache: 'c' }
const OPTIONS = { timeoutMs: 30_000 }
const PAUSE_MS = 1
/** Of frames, each its own, in their order. */
const LAG_MS_MIN = 0.2
const LAG_MS_MORE = 2
const VALUE = textValue('1')

function lag(cluster: CacheCluster, random: Prng): void {
  const last = new Map<string, number>()
  cluster.lagMs.get = (way) => {
    const now = cluster.clock.now()
    const at = Math.max(last.get(way) ?? 0, now + LAG_MS_MIN + random.next() * LAG_MS_MORE)
    last.set(way, at)
    return at - now
  }
}

test.each(['the home', 'another node'])(
  '%s writes each of 300 keys every few milliseconds',
  async (who) => {
    const cluster = new CacheCluster([])
    await cluster.start(['n1', 'n2', 'n3'])
    const home = cluster.home() as string
    const [other, asker] = [...cluster.nodes.keys()].filter((id) => id !== home) as [string, string]
    const { backend, node } = cluster.at(who === 'the home' ? home : other)
    const { caches } = backend
    await cluster.ask(caches.configure(NAME, { durability: 'writeback' }, OPTIONS), 'it is configured')
    lag(cluster, new Prng(1))
    let isRunning = true
    const write = async (key: string): Promise<void> => {
      while (isRunning) {
        await caches.put({ ...NAME, key }, VALUE, null, null, OPTIONS)
        await new Promise<void>((resolve) => cluster.clock.after(PAUSE_MS, resolve))
      }
    }
    const keys = Array.from({ length: 300 }, (_, nth) => `k${nth}`)
    const writers = keys.map(write)
    const owned = (): number => node.coherence.ownedStates('').M + node.coherence.ownedStates('').E
    await cluster.clock.until(() => owned() === keys.length, 'all are owned')
    const work = cluster.at(asker).backend.caches.invalidate(NAME, { all: true }, OPTIONS)
    expect(await cluster.ask(work, 'they are invalidated')).toEqual({ invalidated: keys.length })
    // And are owned again.
    await cluster.clock.until(() => owned() === keys.length, 'all are owned again')
    isRunning = false
    await cluster.ask(Promise.all(writers), 'nobody writes')
    await cluster.stop()
    expect(cluster.bugs).toEqual([])
  },
  60_000,
)
