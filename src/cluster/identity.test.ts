import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../test/manual-clock.ts'
import { Prng } from '../base/prng.ts'
import { MemoryDisk, createMemoryStorage } from '../io/storage-memory.ts'
import { IdentityError, joinFormation, joinRunning, markFounded, openIdentity } from './identity.ts'
import { ReplicaLedger } from './ledger.ts'
import type { Formation } from './types.ts'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const formation: Formation = { clusterId: 'c1', name: 'test', partitions: 4, replicas: 3, founders: [] }

function disk() {
  const storage = createMemoryStorage(new MemoryDisk())
  const open = (node = 'n1', cluster = 'test') => openIdentity(storage, new ManualClock(), new Prng(3), { node, cluster })
  return { storage, open }
}

describe('identity', () => {
  test('made once; every boot has a number of its own, also with a clock that stands still', async () => {
    const { open } = disk()
    const boots = [await open(), await open(), await open()]
    expect(new Set(boots.map(({ uid }) => uid)).size).toBe(1)
    expect(boots[0]).toMatchObject({ node: 'n1', cluster: 'test', member: null, formation: null, founded: false })
    const [first, second, third] = boots.map(({ incarnation }) => incarnation) as [number, number, number]
    expect(second).toBeGreaterThan(first)
    expect(third).toBeGreaterThan(second)
  })

  test('another node’s directory, another cluster’s, a damaged file, a log without its file: refused with the way out', async () => {
    const { storage, open } = disk()
    await open()
    await expect(open('n2')).rejects.toThrow(/belongs to node n1.*start it as n1.*data_directory/)
    await expect(open('n1', 'other')).rejects.toThrow(/belongs to cluster test.*cluster\.name/)
    await expect(open('n2')).rejects.toBeInstanceOf(IdentityError)
    for (const broken of ['', '{', '[]', '{"node":"n1"}', 'null']) {
      await storage.replace('node.json', text(broken))
      await expect(open()).rejects.toThrow(/node\.json is damaged.*restore/)
    }
    const orphan = disk()
    await (await orphan.storage.open('wal/00000001.wal')).write(0, [text('x')])
    await expect(orphan.open()).rejects.toThrow(/holds a log but no node\.json/)
  })

  test('what it became a member of survives', async () => {
    const { storage, open } = disk()
    const joined = await joinFormation(storage, await open(), formation, 2)
    expect(await open()).toMatchObject({ member: 2, formation, founded: false })
    await markFounded(storage, joined)
    expect(await open()).toMatchObject({ member: 2, founded: true })
    const other = disk()
    await joinRunning(other.storage, await other.open(), formation, 4)
    expect(await other.open()).toMatchObject({ member: 4, formation, founded: true })
  })
})

describe('the ledger of replicas', () => {
  test('knows the founding ones and every life begun, and never counts down', async () => {
    const { storage } = disk()
    const ledger = await ReplicaLedger.open(storage, [1, 2])
    expect([1, 2, 3].map((group) => ledger.begun(group))).toEqual([0, 0, -1])
    await ledger.begin([
      [2, 3],
      [3, 0],
    ])
    await ledger.begin([[2, 1]])
    const again = await ReplicaLedger.open(storage, [1, 2])
    expect([1, 2, 3, 4].map((group) => again.begun(group))).toEqual([0, 3, 0, -1])
  })

  test('a damaged file is refused with the way out', async () => {
    for (const broken of ['{}', '[[1]]', '[[1,-1]]', 'x']) {
      const { storage } = disk()
      await storage.replace('replicas.json', text(broken))
      await expect(ReplicaLedger.open(storage, [])).rejects.toThrow(/replicas\.json is damaged.*tricord members remove.*--join/)
    }
  })
})
