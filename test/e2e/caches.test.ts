/**
 * Caches on real processes under load: homes are killed with -9, stopped and cut off from NATS, nodes with copies are killed
 * and stopped. No read is stale, no acknowledged write is lost, increments are exact, and who does not answer delays a writer
 * by no more than the stated bound. ROUNDS=20 for the long run.
 */
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { HOME_DEFAULTS } from '../../src/cache/coherence/home.ts'
import { waitMs } from '../../src/cache/coherence/lease.ts'
import { configLine } from '../../src/cache/line-id.ts'
import { type CacheLoad, entryCall, readSurely, startCacheLoad } from './cache-load.ts'
import { healedAtLast } from './healed-at-last.ts'
import { type NodeProcess, call } from './processes.ts'
import { type WiredCluster, startWired } from './wired-processes.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 1)
const KEYS = ['k0', 'k1', 'k2', 'k3']
const OUTAGE_MS = 4_000
const HEALED_MS = 5_000
/** Of a writer by somebody who does not answer: half a second, then what is left of a session and the drift of clocks. */
const DELAY_MS = HOME_DEFAULTS.unackedMs + waitMs(HOME_DEFAULTS)
/** What the write takes anyway, on a machine that does other things as well. */
const WRITE_MS = 500

let cluster: WiredCluster
beforeAll(async () => {
  cluster = await startWired(['cluster.partitions=8'])
})
afterAll(() => cluster.stop())

const pass = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const since = (began: number): number => Math.round(performance.now() - began)

/** Who leads the partition of a place, by the word of any node that answers. */
async function leaderOf(place: string): Promise<NodeProcess> {
  for (;;) {
    for (const { url } of cluster.nodes) {
      const answer = await call(url, 'GET', `/v1/ring/explain?cache=any&key=${encodeURIComponent(place)}`).catch(() => null)
      const leader = cluster.nodes.find(({ id }) => id === answer?.body['leader'])
      if (leader) return leader
    }
    await pass(50)
  }
}

async function settled(load: CacheLoad, cache: string): Promise<void> {
  const expected = await load.stop()
  console.log(
    `${load.reads} reads (${Math.round((100 * load.hits) / load.reads)} % hits), ${load.writes} writes, ${load.increments} increments, ${load.stale.length} stale reads`,
  )
  expect(load.stale).toEqual([])
  for (const [key, value] of expected) {
    for (const { id, url } of cluster.nodes) {
      const held = await readSurely(url, `/v1/caches/${cache}/entries/${key}`)
      expect([held.status, held.text], `${key} on ${id}`).toEqual([200, String(value)])
    }
  }
}

describe('the home of a key', () => {
  const outages: readonly [string, (home: NodeProcess) => Promise<void>, (home: NodeProcess) => Promise<void> | void][] = [
    ['killed with -9', async (home) => void (await home.kill()), (home) => home.start()],
    ['stopped', async (home) => home.pause(), (home) => home.resume()],
    ['cut off from NATS (silent)', async (home) => cluster.wireOf(home).cut('silent'), (home) => cluster.wireOf(home).heal()],
    ['cut off from NATS (closed)', async (home) => cluster.wireOf(home).cut('closed'), (home) => cluster.wireOf(home).heal()],
  ]
  test.each(outages)(
    '%s under load: nothing stale, nothing lost, increments exact',
    async (what, strike, undo) => {
      for (let round = 0; round < ROUNDS; round++) {
        const cache = `${what.replaceAll(/[^a-z]/g, '')}${round}`
        const load = startCacheLoad(cluster.nodes, cache, KEYS, cache)
        onTestFinished(() => load.end())
        await Promise.all([...KEYS.map((key) => load.nextWrite(key)), ...cluster.nodes.map(({ id }) => load.nextRead(id))])
        const home = await leaderOf('k0')
        const next = load.nextWrite('k0')
        const struckAt = performance.now()
        const healed = healedAtLast(() => undo(home))
        await strike(home)
        await next
        const writtenMs = since(struckAt)
        await pass(OUTAGE_MS - writtenMs)
        await healed()
        const healedAt = performance.now()
        await Promise.all([load.nextRead(home.id), ...KEYS.map((key) => load.nextWrite(key))])
        const healedMs = since(healedAt)
        console.log(`home ${what}: a write of its key after ${writtenMs} ms; reads and writes ${healedMs} ms after it was healed`)
        expect(healedMs).toBeLessThan(HEALED_MS)
        await settled(load, cache)
      }
    },
    120_000 * ROUNDS,
  )
})

test(
  'a node that is told to stop, with homes and copies: no write waits for its leases',
  async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const stopped = await leaderOf('k0')
      const other = cluster.nodes.find((node) => node !== stopped) as NodeProcess
      const paths = Array.from({ length: 24 }, (_, nth) => `/v1/caches/told${round}/entries/k${nth}`)
      const put = (path: string, label: string) => entryCall(other.url, 'PUT', path, '1', `${label} ${path}`, 20_000)
      for (const path of paths) {
        expect((await put(path, 'first')).status).toBeLessThan(300)
        for (const { url } of cluster.nodes) expect((await readSurely(url, path)).text).toBe('1')
      }
      const beganAt = performance.now()
      const startedAgain = healedAtLast(() => stopped.start())
      expect(await stopped.kill('SIGTERM')).toBe(0)
      const goneAt = performance.now()
      const tookMs = await Promise.all(
        paths.map(async (path) => {
          for (let nth = 0; (await put(path, `again ${nth}`)).status >= 300; nth++) await pass(10)
          return since(goneAt)
        }),
      )
      const longestMs = Math.max(...tookMs)
      console.log(
        `node told to stop: gone after ${Math.round(goneAt - beganAt)} ms; the longest of ${paths.length} writes then took ${longestMs} ms`,
      )
      await startedAgain()
      expect(longestMs).toBeLessThan(HOME_DEFAULTS.leaseMs / 2)
    }
  },
  120_000 * ROUNDS,
)

describe('a node that holds copies', () => {
  test.each(['killed with -9', 'stopped'])(
    '%s: it delays a writer by no more than the bound',
    async (what) => {
      for (let round = 0; round < ROUNDS; round++) {
        // A cache of which the configuration has the same home: nothing else is in the way of a write.
        const home = await leaderOf('k0')
        let [cache, nth] = ['', 0]
        do cache = `sharer${nth++}`
        while ((await leaderOf(configLine('default', cache))) !== home)
        const path = `/v1/caches/${cache}/entries/k0`
        const label = `${what}-${round}-${performance.now()}`
        expect((await entryCall(home.url, 'PUT', path, '1', `${label}-1`, 20_000)).status).toBeLessThan(300)
        for (const { url } of cluster.nodes) expect((await readSurely(url, path)).text).toBe('1')
        const sharer = cluster.nodes.find((node) => node !== home) as NodeProcess
        const healed = healedAtLast(() => (what === 'stopped' ? sharer.resume() : sharer.start()))
        if (what === 'stopped') sharer.pause()
        else await sharer.kill()
        const began = performance.now()
        const written = await entryCall(home.url, 'PUT', path, '2', `${label}-2`, 20_000)
        const tookMs = since(began)
        console.log(`sharer ${what}: the write took ${tookMs} ms; stated: ${DELAY_MS} ms and what a write takes`)
        // What it was asked while it was stopped it answers when it wakes, and not by its copy.
        const asked = what === 'stopped' ? entryCall(sharer.url, 'GET', path, undefined, '', 20_000) : null
        await healed()
        expect(written.status, written.text).toBeLessThan(300)
        expect(tookMs).toBeLessThan(DELAY_MS + WRITE_MS)
        expect((await asked)?.text ?? '2').toBe('2')
        expect((await readSurely(sharer.url, path)).text).toBe('2')
      }
    },
    120_000 * ROUNDS,
  )
})
