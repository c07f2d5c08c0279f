/** Hosts that come and go: restarts, damage, snapshots to those left behind, members added and removed. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { RaftCluster, GROUP, type TestNode } from '../../../test/raft-cluster.ts'
import { ToyMachine } from '../../../test/toy-machine.ts'
import { replicaId } from '../../base/ids.ts'
import { areaKey, prefixOf } from './keys.ts'
import { createMemoryStorage } from '../../io/storage-memory.ts'

const KEY = new Uint8Array([1])
let cluster: RaftCluster

afterEach(async () => {
  await cluster.close()
  expect(cluster.bugs).toEqual([])
})

async function adds(node: TestNode, count: number): Promise<void> {
  const outcomes = Array.from({ length: count }, () => cluster.submit(node, { add: 1 }))
  await cluster.clock.until(() => outcomes.every(({ result }) => result !== null), 'all answers')
  for (const { result } of outcomes) expect(result!.ok).toBe(true)
}

/** Turns of their own, so that each is an entry. */
async function puts(node: TestNode, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) await cluster.do(node, { put: `k${i}`, value: `v${i}`.padEnd(500, '.') })
}

describe('restart', () => {
  test('of all nodes brings everything back, answers and waits included', async () => {
    cluster = new RaftCluster({ nodes: 3 })
    await cluster.found()
    const leader = await cluster.leader()
    await adds(leader, 30)
    await cluster.do(leader, { add: 1 }, { key: { key: 'once', fingerprint: 'f' } })
    cluster.submit(leader, { wait: 'gate' }, { key: { key: 'wait', fingerprint: 'f' } })
    await cluster.clock.pass(250)
    await cluster.do(leader, { put: 'tail', value: 'after the drain' })
    for (const node of cluster.nodes) await cluster.kill(node)
    for (const node of cluster.nodes) await cluster.start(node)
    expect(cluster.nodes.map((node) => [node.host.recovered, node.host.damaged])).toEqual([
      [[GROUP], []],
      [[GROUP], []],
      [[GROUP], []],
    ])
    const next = await cluster.leader()
    expect(await cluster.do(next, { add: 1 }, { key: { key: 'once', fingerprint: 'f' } })).toEqual({ ok: true, reply: 31 })
    const waiter = cluster.submit(next, { wait: 'gate' }, { key: { key: 'wait', fingerprint: 'f' } })
    await cluster.clock.pass(100)
    expect(next.machine.gates.size).toBe(1)
    expect(await cluster.do(next, { open: 'gate' })).toEqual({ ok: true, reply: 1 })
    await cluster.clock.until(() => waiter.result !== null, 'settled')
    expect(await cluster.query(next, 'tail')).toBe('after the drain')
    expect(await cluster.query(next, 'sum')).toBe(31)
  })

  test('after a checkpoint replays the tail alone', async () => {
    cluster = new RaftCluster({ nodes: 1 })
    await cluster.found()
    const node = cluster.node(1)
    await puts(node, 0, 50)
    await cluster.clock.until(() => node.host.status(GROUP)!.checkpointed >= 50, 'drained')
    await cluster.clock.pass(2_000)
    await cluster.do(node, { put: 'last', value: 'x' })
    await cluster.kill(node)
    await cluster.start(node)
    await cluster.leader()
    await cluster.clock.until(() => node.machine.registers.size === 51, 'replayed')
    expect(node.machine.applied).toBeLessThan(10)
  })

  test('gives a command that was repeated across it one effect', async () => {
    cluster = new RaftCluster({ nodes: 3 })
    await cluster.found()
    const leader = await cluster.leader()
    const [client, other] = cluster.followers()
    cluster.cut.add(`${leader.name}>${client!.name}`)
    const outcome = cluster.submit(client!, { add: 1 })
    await cluster.clock.until(() => leader.machine.sum === 1, 'applied')
    await cluster.clock.pass(300)
    for (const node of [leader, other!]) await cluster.kill(node)
    cluster.cut.clear()
    for (const node of [leader, other!]) await cluster.start(node)
    await cluster.clock.until(() => outcome.result !== null, 'an answer')
    expect(outcome.result).toEqual({ ok: true, reply: 1 })
    await cluster.converge()
    expect(cluster.nodes.map((node) => node.machine.sum)).toEqual([1, 1, 1])
  })
})

describe('a lagging replica', () => {
  test('gets a snapshot when the log no longer reaches it, and serves after it', async () => {
    cluster = new RaftCluster({ nodes: 3, logBytesMax: 2_000 })
    await cluster.found()
    const [late] = cluster.followers()
    await cluster.kill(late!)
    const leader = await cluster.leader()
    await puts(leader, 0, 40)
    await adds(leader, 10)
    await cluster.clock.until(() => leader.host.status(GROUP)!.first > 30, 'compacted')
    await cluster.start(late!)
    await cluster.clock.until(() => late!.host.status(GROUP)!.applied === leader.host.status(GROUP)!.applied, 'caught up')
    await cluster.converge()
    expect(leader.host.stats.snapshotsSent).toBe(1)
    expect(late!.host.stats.snapshotsReceived).toBe(1)
    expect([late!.machine.sum, late!.machine.registers.size]).toEqual([10, 40])
    expect(await cluster.do(late!, { add: 1 })).toEqual({ ok: true, reply: 11 })
    await cluster.converge()
    await cluster.kill(late!)
    await cluster.start(late!)
    await cluster.converge()
    expect([late!.machine.sum, late!.machine.registers.size]).toEqual([11, 40])
  })

  test('gets it no faster than the cap allows', async () => {
    cluster = new RaftCluster({ nodes: 3, logBytesMax: 2_000, snapshotBytesPerSecond: 1_000_000 })
    await cluster.found()
    const [late] = cluster.followers()
    await cluster.kill(late!)
    const leader = await cluster.leader()
    for (let i = 0; i < 20; i++) await cluster.do(leader, { put: `big${i}`, value: 'x'.repeat(100_000) })
    await cluster.clock.until(() => leader.host.status(GROUP)!.first > 15, 'compacted')
    await cluster.start(late!)
    const began = cluster.clock.now()
    await cluster.clock.until(() => late!.host.stats.snapshotsReceived === 1, 'the snapshot is there')
    expect(cluster.clock.now() - began).toBeGreaterThan(1_500)
    await cluster.converge()
    expect(late!.machine.registers.size).toBe(20)
  })

  test('survives that the stream is cut, and its own death in the middle of it', async () => {
    cluster = new RaftCluster({ nodes: 3, logBytesMax: 2_000 })
    await cluster.found()
    const [late] = cluster.followers()
    await cluster.kill(late!)
    const leader = await cluster.leader()
    for (let i = 0; i < 20; i++) await cluster.do(leader, { put: `big${i}`, value: 'x'.repeat(100_000) })
    await cluster.clock.until(() => leader.host.status(GROUP)!.first > 15, 'compacted')
    const arrivals = (): number => cluster.log.filter((line) => line.includes('a snapshot arrives')).length
    let chunks = 0
    let lost = 0
    let reborn = false
    // In its first life only three frames of chunks get through; in the second every third is lost.
    cluster.loses = (_from, to, frame) => {
      const chunk = to === late!.name && frame.length > 100_000
      const lose = chunk && ++chunks > 3 && (!reborn || chunks % 3 === 0)
      if (lose) lost++
      return lose
    }
    await cluster.start(late!)
    await cluster.clock.until(() => lost > 0, 'the stream is cut')
    expect(late!.host.stats.snapshotsReceived).toBe(0)
    await cluster.kill(late!)
    reborn = true
    await cluster.start(late!)
    await cluster.clock.until(() => arrivals() > 1, 'it begins anew')
    await cluster.converge()
    expect(lost).toBeGreaterThan(1)
    expect([late!.host.stats.snapshotsReceived, late!.machine.registers.size]).toEqual([1, 20])
    const generations = new Set((await late!.disk.stores.get('state')!.iterate({}).next(1_000)).map(([key]) => key.slice(4, 8).join()))
    expect(generations.size).toBe(1)
  })
})

describe('membership', () => {
  test('a new replica joins with a snapshot, another leaves and is deleted', async () => {
    cluster = new RaftCluster({ nodes: 4 })
    await cluster.found(3)
    const leader = await cluster.leader()
    await adds(leader, 5)
    const joiner = cluster.node(4)
    joiner.host.createReplica(GROUP, replicaId(4, 0), null)
    await cluster.clock.until(() => joiner.host.status(GROUP) !== null, 'made')
    expect(joiner.host.status(GROUP)!.serving).toBe(false)
    const voters = [1, 2, 3].map((member) => replicaId(member, 0))
    expect(leader.host.proposeMembership(GROUP, voters, [replicaId(4, 0)]).ok).toBe(true)
    await cluster.clock.until(() => joiner.machine.sum === 5, 'the learner has caught up')
    const leaver = cluster.followers().find((node) => node !== joiner)!
    const next = voters.filter((replica) => replica !== replicaId(leaver.member, 0)).concat(replicaId(4, 0))
    expect(leader.host.proposeMembership(GROUP, next, []).ok).toBe(true)
    const settled = (): boolean =>
      leader.host.status(GROUP)!.membership.voters.join() === next.join() && leader.host.status(GROUP)!.membership.outgoing.length === 0
    await cluster.clock.until(settled, 'the membership changed')
    leaver.host.removeReplica(GROUP)
    expect(leaver.host.status(GROUP)).toBe(null)
    expect(await cluster.do(leaver, { add: 1 })).toEqual({ ok: true, reply: 6 })
    await cluster.converge()
    expect(joiner.machine.sum).toBe(6)
    await cluster.kill(leaver)
    await cluster.start(leaver)
    expect([leaver.host.recovered, leaver.host.damaged]).toEqual([[], []])
  })

  test('a caller on a node without a replica hears of a new leader, and its wait is answered at once', async () => {
    cluster = new RaftCluster({ nodes: 4 })
    cluster.hosts = ['n1', 'n2', 'n3']
    await cluster.found(3)
    const leader = await cluster.leader()
    const stranger = cluster.node(4)
    const wait = cluster.submit(stranger, { wait: 'gate' })
    await cluster.clock.until(() => leader.machine.gates.size === 1, 'it waits')
    const heir = cluster.followers()[0]!
    leader.host.transferLeadership(GROUP, replicaId(heir.member, 0))
    await cluster.clock.until(() => heir.leads, 'handed over')
    await cluster.clock.pass(500)
    cluster.submit(heir, { open: 'gate' })
    const opened = cluster.clock.now()
    await cluster.clock.until(() => wait.result !== null, 'the answer')
    expect(wait.result).toEqual({ ok: true, reply: 1 })
    expect(cluster.clock.now() - opened).toBeLessThan(200)
  })

  test('leadership is handed over, also by a drain', async () => {
    cluster = new RaftCluster({ nodes: 3 })
    await cluster.found()
    const leader = await cluster.leader()
    const heir = cluster.followers()[0]!
    expect(leader.host.transferLeadership(GROUP, replicaId(heir.member, 0))).toBe(true)
    await cluster.clock.until(() => heir.leads, 'handed over')
    await adds(heir, 3)
    const { applied } = heir.host.status(GROUP)!
    let drained = false
    void heir.host.drain(5_000).then(() => (drained = true))
    await cluster.clock.until(() => drained, 'drained')
    expect(heir.leads).toBe(false)
    expect(heir.host.status(GROUP)!.checkpointed).toBeGreaterThanOrEqual(applied)
  })
})

describe('damage', () => {
  async function drainedThree(): Promise<TestNode> {
    cluster = new RaftCluster({ nodes: 3 })
    await cluster.found()
    const leader = await cluster.leader()
    await puts(leader, 0, 10)
    await cluster.converge()
    await cluster.clock.pass(2_000)
    const victim = cluster.followers()[0]!
    await cluster.kill(victim)
    return victim
  }

  test('a store that lost a record is found out; the replica comes back under a new life', async () => {
    const victim = await drainedThree()
    const kv = victim.disk.stores.get('state')!
    const pairs = await kv.iterate({}).next(100)
    await kv.batch([{ key: pairs.at(-1)![0], value: null }], { sync: true })
    await cluster.start(victim)
    expect(victim.host.damaged).toEqual([{ group: GROUP, replica: replicaId(victim.member, 0) }])
    expect([victim.host.recovered, victim.host.status(GROUP), victim.host.machine(GROUP)]).toEqual([[], null, null])
    expect(await cluster.do(victim, { add: 1 })).toEqual({ ok: true, reply: 1 })

    const leader = await cluster.leader()
    const others = cluster.nodes.filter((node) => node !== victim).map((node) => replicaId(node.member, 0))
    const reborn = replicaId(victim.member, 1)
    victim.host.createReplica(GROUP, reborn, null)
    expect(
      leader.host.proposeMembership(
        GROUP,
        [...others, reborn].sort((a, b) => a - b),
        [],
      ).ok,
    ).toBe(true)
    await cluster.clock.until(() => victim.host.status(GROUP)?.serving === true, 'it serves again')
    await cluster.converge()
    expect([victim.machine.sum, victim.machine.registers.size, victim.host.damaged]).toEqual([1, 10, []])
    await cluster.kill(victim)
    await cluster.start(victim)
    expect([victim.host.recovered, victim.host.damaged]).toEqual([[GROUP], []])
  })

  test.each([new Error('Unexpected end of MessagePack data'), new RangeError('Offset is outside the bounds of the DataView')])(
    'a record that the machine cannot read, in whatever words it says so, is found out (%s)',
    async (error) => {
      const victim = await drainedThree()
      const load = vi.spyOn(ToyMachine.prototype, 'load').mockImplementation(() => {
        throw error
      })
      await cluster.start(victim)
      load.mockRestore()
      expect(victim.host.damaged).toEqual([{ group: GROUP, replica: replicaId(victim.member, 0) }])
      expect(cluster.log.join('\n')).toContain(`a replica is damaged: its records cannot be read: ${error.message}`)
    },
  )

  test('a log that is older than the records is found out', async () => {
    cluster = new RaftCluster({ nodes: 3 })
    await cluster.found()
    const [victim] = cluster.followers()
    await cluster.clock.pass(2_000)
    const storage = createMemoryStorage(victim!.disk)
    const old = new Map<string, Uint8Array>()
    for (const name of await storage.list('wal')) old.set(`wal/${name}`, (await storage.readFile(`wal/${name}`))!)
    await puts(await cluster.leader(), 0, 10)
    await cluster.clock.pass(500)
    await cluster.kill(victim!)
    for (const name of await storage.list('wal')) await storage.remove(`wal/${name}`)
    for (const [path, bytes] of old) await storage.replace(path, bytes)
    await cluster.start(victim!)
    expect(victim!.host.damaged).toEqual([{ group: GROUP, replica: replicaId(victim!.member, 0) }])
  })

  test('what a crash left in the store is swept at the next start', async () => {
    const victim = await drainedThree()
    const kv = victim.disk.stores.get('state')!
    const junk = [areaKey(prefixOf(GROUP, 0), 2, KEY), areaKey(prefixOf(GROUP, 9), 2, KEY), areaKey(prefixOf(77, 1), 2, KEY)]
    await kv.batch(
      junk.map((key) => ({ key, value: KEY })),
      { sync: true },
    )
    await cluster.start(victim)
    expect(victim.host.recovered).toEqual([GROUP])
    for (const key of junk) expect(await kv.get(key)).toBe(undefined)
  })

  test('a store that lost everything is found out', async () => {
    const victim = await drainedThree()
    await victim.disk.stores.get('state')!.clear({})
    await cluster.start(victim)
    expect(victim.host.damaged).toHaveLength(1)
  })
})
