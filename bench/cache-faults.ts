/**
 * What faults cost those who read and write a cache, in the longest time that a call took, refusals and repetitions included, and
 * whether what anybody saw stayed coherent. Each time one of the three nodes fails that have copies of everything:
 *
 *   stopped   SIGSTOP for some seconds. Its own callers go on when it does: what it answers then must not be older than what
 *             was written meanwhile
 *   killed    kill -9; calls go to the others
 *
 * Told apart are keys of which it is the home and keys of which it is a sharer and no more.
 */
import { configLine, entryLine } from '../src/cache/line-id.ts'
import type { LineId } from '../src/cache/coherence/protocol.ts'
import { Writes } from '../src/cache/node/writes.ts'
import { loadHash } from '../src/io/hash.ts'
import type { CacheOutcome } from './cache-load.ts'
import { type CacheRows, msOf, timesOf, type Wish } from './cache-rows.ts'
import type { BenchCluster } from './cluster.ts'

const KEYS = 300
const SECONDS = 12
const BEFORE_MS = 3_000
const STOPPED_MS = 5_000
const SETTLE_MS = 3_000
const RATE = 600
/** Each calls every three seconds: who waits for two does not hold up the next call. */
const CALLERS = 1_800
/** A session lasts that long after its home has last heard that it leads: two seconds, and what clocks may differ by. */
const BOUND_MS = 2_000 * 1.01 + 5
const PARTITIONS = 64
const NAMES = 32

type HomeOf = (line: LineId) => number

export async function benchCacheFaults(cluster: BenchCluster, rows: CacheRows): Promise<void> {
  await inject(cluster, rows, 'stopped', [0, 1, 2], 2, async (node) => {
    cluster.pause(node)
    await pause(STOPPED_MS)
    cluster.resume(node)
  })
  await pause(SETTLE_MS)
  await inject(cluster, rows, 'killed', [0, 1], 2, (node) => cluster.kill(node))
  await cluster.restart(2)
}

async function inject(
  cluster: BenchCluster,
  rows: CacheRows,
  what: string,
  nodes: readonly number[],
  node: number,
  fault: (node: number) => Promise<void>,
): Promise<void> {
  const cache = await cacheElsewhere(cluster, what, node)
  const keys = Array.from({ length: KEYS }, (_, nth) => `fault/${nth}`)
  const of: Omit<Wish, 'name'> = { kind: 'ws', cache, keys, bytes: 256, reads: 0.9, choice: 'uniform', callers: CALLERS }
  const wish: Wish = { ...of, name: `node ${what}`, seconds: SECONDS, rate: RATE, nodes }
  for (const reads of [0, 1, 1]) await rows.run({ ...of, name: 'fill', choice: 'sweep', reads, callers: 48, nodes: [0, 1, 2] })
  let homeOf: HomeOf = () => -1
  const breaking = async (): Promise<void> => {
    await pause(BEFORE_MS)
    homeOf = await homes(cluster)
    await fault(node)
  }
  const [outcomes] = await Promise.all([rows.run(wish), breaking()])
  const row = rows.told(wish, outcomes, [], 0)
  rows.rows.push(row)
  const homeFailed = keys.map((key) => homeOf(entryLine('default', cache, key)) === node)
  const { checked, violations } = row.verdict
  const seen = violations.length === 0 ? `${checked} calls are coherent` : `INCOHERENT\n  ${violations.join('\n  ')}`
  const configured = homeOf(configLine('default', cache)) === node ? '; it was the home of the configuration, too' : ''
  process.stdout.write(`\nnode ${what}: ${seen}; refused and repeated ${row.refused}${configured}\n`)
  const up = outcomes.filter((_, nth) => nodes[nth] !== node)
  for (const isHome of [false, true]) {
    const count = homeFailed.filter((failed) => failed === isHome).length
    const where = `  ${count} keys of which it was ${isHome ? 'the home' : 'a sharer'}:`
    process.stdout.write(`${where} ${times(up, (key) => homeFailed[key] === isHome)}\n`)
  }
  process.stdout.write(`  bound of the wait for a sharer: ${BOUND_MS} ms; for a home: an election, and the same\n`)
}

/** Calls of nodes that were up. */
function times(outcomes: readonly CacheOutcome[], ofKey: (key: number) => boolean): string {
  const ms = (ofWrites: 0 | 1): string => (timesOf(msOf(outcomes, ofWrites, ofKey)) ?? []).map((one) => one.toFixed(1)).join(' / ')
  return `read ms p50/p99/p99.9/max ${ms(0)}, write ms ${ms(1)}`
}

/** The name of a cache of which another node is the home of the configuration: a write needs that, whatever its key. */
async function cacheElsewhere(cluster: BenchCluster, what: string, node: number): Promise<string> {
  const homeOf = await homes(cluster)
  for (let nth = 0; nth < NAMES; nth++) {
    const cache = `${what}-${nth}`
    const home = homeOf(configLine('default', cache))
    if (home >= 0 && home !== node) return cache
  }
  throw new Error('one node leads everything')
}

async function homes(cluster: BenchCluster): Promise<HomeOf> {
  const hash = await loadHash()
  const places = new Writes({} as ConstructorParameters<typeof Writes>[0], { partitions: PARTITIONS, hash })
  const answer = await fetch(`${cluster.urls[0]}/v1/cluster/status`)
  const { groups } = (await answer.json()) as { readonly groups: readonly { readonly id: string; readonly leader: string | null }[] }
  const leaders = new Map(groups.map(({ id, leader }) => [id, leader]))
  return (line) => cluster.ids.indexOf(leaders.get(`p${places.partitionOf(line)}`) ?? '')
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
