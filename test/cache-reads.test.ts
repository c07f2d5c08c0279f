/**
 * Copies are read where no home sees it, and still what is read stays in a cache that is full: whole nodes in virtual time, the reader
 * being at home, or elsewhere with a copy from the time when there was room.
 */
import { expect, test } from 'vitest'
import { partitionGroup } from '../src/base/ids.ts'
import type { CacheConfig } from '../src/cache/types.ts'
import { CacheCluster } from './cache-cluster.ts'
import { textValue } from './cache/text-value.ts'

const NAME = { namespace: 'default', cache: 'c' }
const OPTIONS = { timeoutMs: 10_000 }
const ENTRIES = 8
const PUTS = 40
/** Longer than it takes a home to ask, and a node to tell. */
const EVERY_MS = 700
const VALUE = textValue('1')

async function begin(config: Partial<CacheConfig>) {
  const cluster = new CacheCluster([])
  await cluster.start(['n1', 'n2', 'n3'])
  const home = cluster.home() as string
  const other = [...cluster.nodes.keys()].find((id) => id !== home) as string
  const on = (id: string) => cluster.at(id).backend.caches
  await cluster.ask(on(home).configure(NAME, config, OPTIONS), 'it is configured')
  return {
    cluster,
    home,
    other,
    put: (key: string) => cluster.ask(on(home).put({ ...NAME, key }, VALUE, null, null, OPTIONS), 'it is put'),
    has: async (id: string, key: string): Promise<boolean> => {
      const { entry } = await cluster.ask(Promise.resolve(on(id).get({ ...NAME, key }, OPTIONS)), 'it is read')
      return entry !== null
    },
    applied: () => cluster.at(home).node.host.status(partitionGroup(0))?.applied,
    async end() {
      await cluster.stop()
      expect(cluster.bugs).toEqual([])
    },
  }
}

test.each(['home', 'other'] as const)('what is read at the %s node stays, what was put beside it and is not read goes', async (who) => {
  const bed = await begin({ entriesMax: ENTRIES })
  const reader = bed[who]
  await bed.put('hot')
  await bed.put('cold')
  for (let nth = 0; nth < PUTS; nth++) {
    expect(await bed.has(reader, 'hot'), `after ${nth}`).toBe(true)
    await bed.put(`k${nth}`)
    await bed.cluster.clock.pass(EVERY_MS)
  }
  expect(await bed.has(reader, 'cold')).toBe(false)
  await bed.end()
})

test('where there is room nothing is told: a thousand reads leave the log as it is', async () => {
  const bed = await begin({ entriesMax: 1_000 })
  for (let nth = 0; nth < 10; nth++) await bed.put(`k${nth}`)
  for (let nth = 0; nth < 10; nth++) await bed.has(bed.other, `k${nth}`)
  await bed.cluster.clock.pass(2_000)
  const before = bed.applied()
  for (let nth = 0; nth < 1_000; nth++) {
    await bed.has(bed.other, `k${nth % 10}`)
    await bed.cluster.clock.pass(5)
  }
  await bed.cluster.clock.pass(2_000)
  expect(bed.applied()).toEqual(before)
  await bed.end()
})
