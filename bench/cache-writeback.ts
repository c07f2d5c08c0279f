/**
 * A cache with `writeback`: what its owner pays for a write, without a hop and without the log, and what it pays later, when it flushes.
 *
 *   put by n1: takes the lines │ again: owned, each key flushed once │ a few keys again and again: many writes, one flush
 *   read by n2: n1 gives each line back │ put by n1: takes them again, from a sharer
 *
 * CPU is read once all is flushed: of the second row a flush is in every write, of the third in hardly any.
 */
import type { CacheRows, Wish } from './cache-rows.ts'
import type { CacheTask } from './cache-load.ts'
import type { BenchCluster } from './cluster.ts'

const KEYS = 2_000
const FEW_KEYS = 16
/** All that was written is in the log by then. */
const FLUSHED_MS = 1_000
const FILLERS = 48

interface Plan {
  readonly kinds: readonly CacheTask['kind'][]
  readonly sizes: readonly number[]
  readonly seconds: number
}

export async function benchWriteback(cluster: BenchCluster, rows: CacheRows, { kinds, sizes, seconds }: Plan): Promise<void> {
  for (const bytes of sizes) {
    for (const kind of kinds) {
      const cache = `writeback-${kind}-${bytes}`
      await configure(cluster.urls[0] ?? '', cache)
      const keys = Array.from({ length: KEYS }, (_, nth) => `own/${nth}`)
      const of = { kind, bytes, cache, keys, choice: 'sweep', callers: 1, settleMs: FLUSHED_MS } as const
      const put: Wish = { ...of, name: 'write, owned', reads: 0, nodes: [0] }
      // Sessions with all homes are open, on both nodes.
      const warm = keys.slice(0, KEYS / 4).map((key) => `warm-${key}`)
      await rows.run({ ...put, keys: warm, callers: FILLERS })
      await rows.run({ ...put, keys: warm, reads: 1, nodes: [1], callers: FILLERS })
      await rows.measure({ ...put, name: 'write, takes the line' })
      await rows.measure(put)
      await rows.measure({ ...put, name: `write, owned, ${FEW_KEYS} keys`, keys: keys.slice(0, FEW_KEYS), choice: 'uniform', seconds })
      await rows.run({ ...put, callers: FILLERS })
      await rows.measure({ ...put, name: 'read elsewhere', reads: 1, nodes: [1] })
      await rows.measure({ ...put, name: 'write, from a sharer' })
    }
  }
}

async function configure(url: string, cache: string): Promise<void> {
  const body = JSON.stringify({ durability: 'writeback' })
  const { status } = await fetch(`${url}/v1/caches/${cache}`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body })
  if (status >= 300) throw new Error(`no writeback: ${status}`)
}
