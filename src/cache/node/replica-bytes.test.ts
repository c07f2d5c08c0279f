/** Nodes that were told how much their replicas may take: whatever is put into however many caches, they keep within it. */
import { expect, test } from 'vitest'
import { clusterForAll } from '../../../test/embedded-bed.ts'
import { createCaches } from '../facade.ts'
import type { Caches, CacheName, MputResult } from '../types.ts'

const PARTITIONS = 4
const NODE_BYTES = 4_194_304
const PARTITION_BYTES = NODE_BYTES / PARTITIONS
const CACHES = 40
const KEYS = 150
const OPTIONS = { timeoutMs: 10_000 }
const cluster = clusterForAll(3, () => [`cluster.partitions=${PARTITIONS}`, `caches.replica_bytes_max=${NODE_BYTES}`])

interface Reading {
  readonly bytes: number
  readonly bytesMax: number
}

/** As each node tells it. */
function readings(): Promise<Reading[]> {
  return Promise.all(
    cluster().nodes.map(async ({ url }) => {
      const text = await (await fetch(`${url}/metrics`)).text()
      const gauge = (name: string): number => Number(new RegExp(`^${name}(?:{[^}]*})? (.*)$`, 'm').exec(text)?.[1] ?? NaN)
      return { bytes: gauge('tricord_cache_replica_bytes'), bytesMax: gauge('tricord_cache_replica_bytes_max') }
    }),
  )
}

function fill(caches: Caches, name: CacheName, count: number, bytes: number): Promise<readonly MputResult[]> {
  const value = { value: new Uint8Array(bytes), contentType: 'text/plain', ttlMs: null, slidingMs: 0, tags: [] }
  const entries = Array.from({ length: count }, (_, nth) => ({ key: `k${nth}`, value }))
  return caches.putMany(name, entries, OPTIONS)
}

test('many caches on three nodes stay within what a node may hold, and each keeps something', async () => {
  // Every home says it once it is elected.
  const told = async () => (await readings()).map(({ bytesMax }) => bytesMax)
  await expect.poll(told, { timeout: 10_000 }).toEqual([NODE_BYTES, NODE_BYTES, NODE_BYTES])
  const nodes = cluster().nodes.map(({ node }) => createCaches(node.system, node.id))
  const on = (nth: number): Caches => nodes[nth % nodes.length] as Caches
  const name = (nth: number): CacheName => ({ namespace: 'default', cache: `cache-${nth}` })
  let put = 0
  for (let nth = 0; nth < CACHES; nth++) {
    const written = await fill(on(nth), name(nth), KEYS, nth % 3 === 0 ? 1 : 2_500)
    put += written.filter((result) => 'version' in result).length
    for (const { bytes } of await readings()) expect(bytes).toBeLessThanOrEqual(NODE_BYTES)
  }
  expect(put).toBe(CACHES * KEYS)
  const statuses = await Promise.all(Array.from({ length: CACHES }, (_, nth) => on(nth).status(name(nth), OPTIONS)))
  const memory = statuses.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0)
  // Every partition is full, and nobody has nothing.
  expect(memory).toBeGreaterThan(0.95 * NODE_BYTES)
  expect(memory).toBeLessThanOrEqual(NODE_BYTES)
  expect(Math.min(...statuses.map(({ entries }) => entries))).toBeGreaterThan(10)
  expect(statuses.reduce((sum, { entries, evictions }) => sum + entries + evictions, 0)).toBe(put)
  const held = async () => (await readings()).map(({ bytes }) => bytes)
  await expect.poll(held, { timeout: 10_000 }).toEqual([memory, memory, memory])
})

test('a value that is larger than the part of a partition is refused by name', async () => {
  const caches = createCaches(cluster().nodes[0]!.node.system, 'n1')
  const value = { value: new Uint8Array(PARTITION_BYTES), contentType: 'text/plain', ttlMs: null, slidingMs: 0, tags: [] }
  const work = caches.put({ namespace: 'default', cache: 'large', key: 'k' }, value, null, null, OPTIONS)
  await expect(work).rejects.toMatchObject({ code: 'QUOTA', message: expect.stringContaining(String(PARTITION_BYTES)) })
})
