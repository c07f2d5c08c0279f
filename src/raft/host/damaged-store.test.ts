/** A key-value store that is damaged as a whole: found at its opening, while it is loaded, at work. */
import { afterEach, describe, expect, test } from 'vitest'
import { GROUP, RaftCluster, type TestNode } from '../../../test/raft-cluster.ts'
import { replicaId } from '../../base/ids.ts'
import { KvDamagedError } from '../../io/kv/damage.ts'
import type { Kv } from '../../io/kv/kv.ts'
import type { Storage } from '../../io/storage.ts'
import { type MemoryDisk, createMemoryStorage } from '../../io/storage-memory.ts'

let cluster: RaftCluster
afterEach(() => cluster.close())

/** What is broken on a disk: nothing once its store has been set aside. */
type Damage = 'none' | 'open' | 'read' | 'batch'
const damages = new Map<MemoryDisk, Damage>()
let setAsides: string[] = []

const damaged = (): never => {
  throw new KvDamagedError('the key-value store is damaged: Corruption: checksum mismatch')
}

function breakable(disk: MemoryDisk): Storage {
  const storage = createMemoryStorage(disk)
  const is = (damage: Damage): boolean => damages.get(disk) === damage
  return Object.assign(Object.create(storage) as Storage, {
    open: (path: string) => storage.open(path),
    readFile: (path: string) => storage.readFile(path),
    replace: (path: string, bytes: Uint8Array) => storage.replace(path, bytes),
    rename: (from: string, to: string) => storage.rename(from, to),
    remove: (path: string) => storage.remove(path),
    list: (path: string) => storage.list(path),
    syncDirectory: (path: string) => storage.syncDirectory(path),
    freeBytes: () => storage.freeBytes(),
    close: () => storage.close(),
    async setAside(directory: string) {
      damages.delete(disk)
      setAsides.push(await storage.setAside(directory))
      return setAsides.at(-1)
    },
    async kv(directory: string): Promise<Kv> {
      if (is('open')) damaged()
      const kv = await storage.kv(directory)
      return {
        engine: kv.engine,
        get: (key) => kv.get(key),
        getMany: (keys) => kv.getMany(keys),
        batch: async (ops, options) => (is('batch') ? damaged() : kv.batch(ops, options)),
        clear: (range) => kv.clear(range),
        compact: (range) => kv.compact(range),
        close: async () => {},
        iterate(range) {
          const iterator = kv.iterate(range)
          return { next: async (max) => (is('read') ? damaged() : iterator.next(max)), close: () => iterator.close() }
        },
      }
    },
  })
}

async function worked(nodes: number): Promise<TestNode> {
  setAsides = []
  cluster = new RaftCluster({ nodes, storage: breakable })
  await cluster.found()
  const leader = await cluster.leader()
  for (let i = 0; i < 5; i++) expect(await cluster.do(leader, { add: 1 })).toMatchObject({ ok: true })
  await cluster.converge()
  await cluster.clock.pass(2_000)
  return nodes === 1 ? leader : cluster.followers()[0]!
}

/** As the cluster floor does it: a later life, let in by the leader. */
async function replace(node: TestNode): Promise<void> {
  const leader = await cluster.leader()
  const reborn = replicaId(node.member, 1)
  const others = cluster.nodes.filter((one) => one !== node).map(({ member }) => replicaId(member, 0))
  node.host.createReplica(GROUP, reborn, null)
  expect(
    leader.host.proposeMembership(
      GROUP,
      [...others, reborn].toSorted((a, b) => a - b),
      [],
    ).ok,
  ).toBe(true)
  await cluster.clock.until(() => node.host.status(GROUP)?.serving === true, 'it serves again')
  await cluster.converge()
}

describe('a node whose store is damaged', () => {
  test.each(['open', 'read'] as const)('when it is started (%s) sets it aside; its replicas come back from the others', async (damage) => {
    const victim = await worked(3)
    await cluster.kill(victim)
    damages.set(victim.disk, damage)
    await cluster.start(victim)
    expect(setAsides).toEqual(['state.damaged-1'])
    expect(cluster.log.join('\n')).toMatch(new RegExp(`${victim.name} error .*checksum mismatch.*set aside.*state\\.damaged-1`))
    expect([victim.host.damaged, victim.host.recovered]).toEqual([[{ group: GROUP, replica: replicaId(victim.member, 0) }], []])
    expect(victim.disk.stores.has('state.damaged-1')).toBe(true)
    await replace(victim)
    expect(victim.machine.sum).toBe(5)
    await cluster.kill(victim)
    await cluster.start(victim)
    expect([setAsides.length, victim.host.damaged, victim.host.recovered]).toEqual([1, [], [GROUP]])
    expect(cluster.bugs).toEqual([])
  })

  test('at work ends, and sets it aside when it is started again, even if loading finds nothing', async () => {
    const victim = await worked(3)
    damages.set(victim.disk, 'batch')
    expect(await cluster.do(await cluster.leader(), { add: 1 })).toEqual({ ok: true, reply: 6 })
    await cluster.clock.until(() => cluster.bugs.length > 0, 'it ends')
    expect(cluster.bugs[0]).toBeInstanceOf(KvDamagedError)
    cluster.bugs.length = 0
    await cluster.kill(victim)
    cluster.bugs.length = 0
    await cluster.start(victim)
    expect([setAsides, victim.host.damaged.length]).toEqual([['state.damaged-1'], 1])
    await replace(victim)
    await cluster.kill(victim)
    await cluster.start(victim)
    expect([setAsides.length, victim.host.damaged]).toEqual([1, []])
    expect(cluster.bugs).toEqual([])
  })

  test.each(['open', 'read', 'lost'] as const)('and that holds the only copy does not start, and changes nothing (%s)', async (damage) => {
    const only = await worked(1)
    await cluster.kill(only)
    const kept = only.disk.stores.get('state')!
    if (damage === 'lost') only.disk.stores.delete('state')
    else damages.set(only.disk, damage)
    await expect(cluster.start(only)).rejects.toThrow(/only copy of locks.*does not start.*backup/)
    await expect(cluster.start(only)).rejects.toMatchObject({ name: 'SoleCopyError' })
    expect(setAsides).toEqual([])
    // Repaired: nothing was lost.
    damages.delete(only.disk)
    only.disk.stores.set('state', kept)
    await cluster.start(only)
    await cluster.leader()
    expect(only.machine.sum).toBe(5)
  })
})
