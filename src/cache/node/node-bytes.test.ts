/** Nodes that were told how much of other nodes' lines they may keep: whatever they read and write alone, of however many caches, they keep within it. */
import { expect, test } from 'vitest'
import { clusterForAll } from '../../../test/embedded-bed.ts'
import { createCaches } from '../facade.ts'
import type { Caches, CacheName } from '../types.ts'

const NODE_BYTES = 1_048_576
const CACHES = 8
const KEYS = Array.from({ length: 30 }, (_, nth) => `k${nth}`)
const VALUE_BYTES = 10_000
const OPTIONS = { timeoutMs: 10_000 }
const cluster = clusterForAll(3, () => ['cluster.partitions=4', `caches.node_bytes_max=${NODE_BYTES}`])

interface Kept {
  readonly bytes: number
  readonly evicted: number
  readonly copies: number
  readonly owned: number
}

/** As each node tells it. */
function readings(): Promise<Kept[]> {
  return Promise.all(
    cluster().nodes.map(async ({ url }) => {
      const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n')
      const of = (name: string, label = ''): number => {
        const line = lines.find((one) => new RegExp(`^tricord_cache_${name}[{ ]`).test(one) && one.includes(label))
        return Number(line?.split(' ').at(-1) ?? NaN)
      }
      const inState = (state: string): number => of('lines', `state="${state}"`)
      return { bytes: of('line_bytes'), evicted: of('lines_evicted_total'), copies: inState('S'), owned: inState('M') + inState('E') }
    }),
  )
}

async function putAll(caches: Caches, name: CacheName): Promise<void> {
  const value = { value: new Uint8Array(VALUE_BYTES), contentType: 'text/plain', ttlMs: null, slidingMs: 0, tags: [] }
  const written = await caches.putMany(
    name,
    KEYS.map((key) => ({ key, value })),
    OPTIONS,
  )
  expect(written.filter((result) => !('version' in result))).toEqual([])
}

/** Others had to go; of what is its own to write there is about half; copies have the rest. */
function isFull({ bytes, evicted, copies, owned }: Kept): boolean {
  const isShared = owned * VALUE_BYTES > 0.4 * NODE_BYTES && copies * VALUE_BYTES > 0.3 * NODE_BYTES
  return isShared && bytes > 0.9 * NODE_BYTES && evicted > CACHES * KEYS.length - NODE_BYTES / VALUE_BYTES
}

test('what is read and what is written alone share one budget, over all caches and partitions', async () => {
  const [writer, reader] = cluster().nodes.map(({ node }) => createCaches(node.system, node.id)) as unknown as [Caches, Caches]
  let kept: Kept | undefined
  // On a busy machine a lease may run out: then all of it is gone, and comes again.
  for (let nth = 0; nth < CACHES || (nth < 10 * CACHES && !isFull(kept as Kept)); nth++) {
    const [copied, owned] = ['copied', 'owned'].map((what) => ({ namespace: 'default', cache: `${what}-${nth}` })) as [CacheName, CacheName]
    await reader.configure(owned, { durability: 'writeback' }, OPTIONS)
    await putAll(writer, copied)
    expect(await reader.getMany(copied, KEYS, OPTIONS)).toHaveLength(KEYS.length)
    // Copies make room for it.
    await putAll(reader, owned)
    const all = await readings()
    for (const { bytes } of all) expect(bytes).toBeLessThanOrEqual(NODE_BYTES)
    kept = all[1] as Kept
    expect(kept.owned * VALUE_BYTES).toBeLessThan(0.6 * NODE_BYTES)
  }
  expect(kept).toSatisfy(isFull)
})
