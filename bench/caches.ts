/**
 * Caches: hit, miss, writes with sharers, writes of an owner, mixed loads in a closed loop and at a fixed rate, and what a stopped
 * sharer and a killed home cost. fsync on, three replicas; load, NATS and nodes share this machine. What was seen in every row is checked.
 *
 * `--only NAME`: steps, writeback, mixed, rate or faults; `--kinds node,ws,http`, `--bytes 256,4096`, `--seconds N`, `--json FILE`,
 * `--profiles DIRECTORY`; of the mixed loads `--rows 'Zipf 95:5,uniform 50:50'`.
 */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { benchCacheFaults } from './cache-faults.ts'
import { CacheRows, HEAD, type Wish } from './cache-rows.ts'
import type { CacheTask } from './cache-load.ts'
import { benchWriteback } from './cache-writeback.ts'
import { startBenchCluster } from './cluster.ts'
import { describeMachine } from './machine.ts'

const NODE = fileURLToPath(new URL('./cache-node.js', import.meta.url))
const KEYS = 10_000
const STEP_KEYS = 2_000
const PING_PONG_KEYS = 4
const FILLERS = 48
const MIXES = [0.99, 0.95, 0.5]
const CALLERS: Readonly<Record<CacheTask['kind'], number>> = { node: 24, ws: 96, http: 48 }

interface Plan {
  readonly kinds: readonly CacheTask['kind'][]
  readonly sizes: readonly number[]
  readonly seconds: number
  /** Of the mixed loads; null: all. */
  readonly names: readonly string[] | null
}

export async function benchCaches(options: ReadonlyMap<string, string>): Promise<void> {
  const plan: Plan = {
    kinds: (options.get('kinds') ?? 'node,ws,http').split(',') as CacheTask['kind'][],
    sizes: (options.get('bytes') ?? '256,4096').split(',').map(Number),
    seconds: Number(options.get('seconds') ?? 4),
    names: options.get('rows')?.split(',') ?? null,
  }
  const machine = describeMachine()
  process.stdout.write(`${machine}\nthree nodes and nats-server as processes, 3 replicas, fsync on, ${plan.seconds} s a row\n\n`)
  const cluster = await startBenchCluster({ profiles: options.get('profiles'), main: NODE })
  const only = options.get('only')
  const wanted = (part: string): boolean => only === undefined || only === part
  const rows = new CacheRows(cluster)
  try {
    process.stdout.write(`${HEAD}\n`)
    if (wanted('steps')) await steps(rows, plan)
    if (wanted('writeback')) await benchWriteback(cluster, rows, plan)
    if (wanted('mixed') || wanted('rate')) await mixed(rows, plan, wanted('mixed'), wanted('rate'))
    if (wanted('faults')) await benchCacheFaults(cluster, rows)
  } finally {
    await cluster.stop()
  }
  const file = options.get('json')
  if (file) writeFileSync(file, `${JSON.stringify({ machine, ...plan, rows: rows.rows }, null, 2)}\n`)
  const incoherent = rows.rows.filter(({ verdict }) => verdict.violations.length > 0)
  if (incoherent.length > 0) throw new Error(`incoherent: ${incoherent.map(({ name }) => name).join(', ')}`)
}

/**
 * One call at a time, each over all keys before the next step. Writer is n1. Of the keys a third have their home at it.
 *
 *   put by n1 │ read by n2: misses │ again: hits │ put by n1: one sharer │ read by n2, n3 │ put by n1: two sharers
 */
async function steps(rows: CacheRows, { kinds, sizes }: Plan): Promise<void> {
  for (const bytes of sizes) {
    for (const kind of kinds) {
      const keys = Array.from({ length: STEP_KEYS }, (_, nth) => `step/${nth}`)
      const of = { kind, bytes, keys, cache: `steps-${kind}-${bytes}`, choice: 'sweep', callers: 1 } as const
      const [put, get]: readonly [Wish, Wish] = [
        { ...of, name: 'write, no sharer', reads: 0, nodes: [0] },
        { ...of, name: 'miss', reads: 1, nodes: [1] },
      ]
      await rows.run({ ...put, callers: FILLERS })
      await warm(rows, of)
      await rows.measure(put)
      await rows.measure(get)
      await rows.measure({ ...get, name: 'hit' })
      await rows.measure({ ...put, name: 'write, one sharer' })
      await rows.run({ ...get, nodes: [1, 2], callers: FILLERS })
      await rows.measure({ ...put, name: 'write, two sharers' })
    }
  }
}

/** Every node reads something in every partition: its sessions are open. */
async function warm(rows: CacheRows, of: Pick<Wish, 'kind' | 'cache' | 'bytes'>): Promise<void> {
  const keys = Array.from({ length: 500 }, (_, nth) => `warm/${nth}`)
  for (const reads of [0, 1]) await rows.run({ ...of, name: 'warm', keys, reads, choice: 'sweep', callers: FILLERS })
}

async function mixed(rows: CacheRows, { kinds, sizes, seconds, names }: Plan, closed: boolean, fixed: boolean): Promise<void> {
  for (const bytes of sizes) {
    const keys = Array.from({ length: KEYS }, (_, nth) => `key/${nth}`)
    const of = { bytes, cache: `mixed-${bytes}`, seconds, keys }
    await rows.run({ ...of, name: 'fill', kind: 'ws', reads: 0, choice: 'sweep', callers: 2 * FILLERS, nodes: [0] })
    await warm(rows, { ...of, kind: 'ws' })
    for (const kind of kinds) {
      const shapes: readonly Pick<Wish, 'name' | 'choice' | 'keys'>[] = [
        { name: 'Zipf', choice: 'zipf', keys },
        { name: 'uniform', choice: 'uniform', keys },
        { name: 'ping-pong', choice: 'uniform', keys: keys.slice(0, PING_PONG_KEYS) },
      ]
      for (const { name, ...shape } of shapes) {
        for (const reads of MIXES) {
          if (names !== null && !names.includes(`${name} ${nameOf(reads)}`)) continue
          const wish: Wish = { ...of, ...shape, name: `${name} ${nameOf(reads)}`, kind, reads, callers: CALLERS[kind] }
          // Half of what it can do: what it takes where nobody waits for a core.
          const row = closed || isPaced(name, reads) ? await rows.measure(wish) : null
          if (fixed && row !== null && isPaced(name, reads)) {
            const rate = Math.floor(row.perSecond / 2)
            await rows.measure({ ...wish, name: `Zipf ${nameOf(reads)}, ${rate}/s`, rate })
          }
        }
      }
    }
  }
}

function nameOf(reads: number): string {
  return `${Math.round(reads * 100)}:${Math.round((1 - reads) * 100)}`
}

function isPaced(name: string, reads: number): boolean {
  return name === 'Zipf' && reads === 0.95
}
