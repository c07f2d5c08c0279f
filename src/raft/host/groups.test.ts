/** Many groups on one host, and what is seen of a host from outside: traces, a close in good order. */
import { afterEach, describe, expect, test } from 'vitest'
import { Gate, gatedStorage } from '../../../test/gated-storage.ts'
import { GROUP, RaftCluster, type TestNode, membership } from '../../../test/raft-cluster.ts'
import { ToyMachine, toyCommand } from '../../../test/toy-machine.ts'
import { replicaId } from '../../base/ids.ts'
import { type MemoryDisk, createMemoryStorage } from '../../io/storage-memory.ts'
import type { Storage } from '../../io/storage.ts'

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

describe('many groups', () => {
  const GROUPS = Array.from({ length: 30 }, (_, i) => 10 + i)
  const ids = [1, 2, 3].map((member) => replicaId(member, 0))

  test('share appends and heartbeats, sleep, and all find new leaders when a node dies', async () => {
    cluster = new RaftCluster({ nodes: 3 })
    for (const node of cluster.nodes) await cluster.start(node)
    for (const node of cluster.nodes) for (const group of GROUPS) node.host.createReplica(group, replicaId(node.member, 0), membership(ids))
    const leads = (node: TestNode, group: number): boolean => node.up && node.host.status(group)?.role === 'leader'
    const led = (): boolean => GROUPS.every((group) => cluster.nodes.some((node) => leads(node, group)))
    await cluster.clock.until(led, 'all groups are led')
    const addToAll = async (node: TestNode): Promise<void> => {
      let answers = 0
      const answered = (result: { ok: boolean }): void => void (answers += result.ok ? 1 : 0)
      for (const group of GROUPS) node.proposer.submit(group, toyCommand({ add: 1 }), { timeoutMs: 20_000 }, answered)
      await cluster.clock.until(() => answers === GROUPS.length, 'every group answers')
    }
    const before = cluster.nodes.map((node) => node.host.stats.walFsyncs)
    await addToAll(cluster.node(1))
    const spent = cluster.nodes.map((node, i) => node.host.stats.walFsyncs - before[i]!)
    expect(Math.max(...spent)).toBeLessThan(GROUPS.length / 2)
    await cluster.clock.until(() => cluster.nodes.every((node) => GROUPS.every((group) => node.host.status(group)!.quiesced)), 'all sleep')
    const dead = cluster.nodes.reduce((most, node) =>
      GROUPS.filter((g) => leads(node, g)).length > GROUPS.filter((g) => leads(most, g)).length ? node : most,
    )
    await cluster.kill(dead)
    const alive = cluster.nodes.filter((node) => node.up)
    for (const node of alive) node.host.nodeDown(dead.name)
    await cluster.clock.until(led, 'all groups are led again', 2_000)
    await addToAll(alive[0]!)
    for (const group of GROUPS) {
      const leader = alive.find((node) => leads(node, group))!
      expect((leader.host.machine(group) as ToyMachine).sum).toBe(2)
    }
  })

  test('a replica that is removed and made again at once begins from nothing', async () => {
    cluster = new RaftCluster({ nodes: 1 })
    await cluster.found()
    const node = cluster.node(1)
    await adds(node, 3)
    await cluster.clock.pass(500)
    node.host.removeReplica(GROUP)
    node.host.createReplica(GROUP, replicaId(1, 1), membership([replicaId(1, 1)]))
    expect(node.host.replicaOf(GROUP)).toBe(replicaId(1, 1))
    await cluster.leader()
    expect(await cluster.do(node, { add: 1 })).toEqual({ ok: true, reply: 1 })
    await cluster.clock.pass(500)
    await cluster.kill(node)
    await cluster.start(node)
    await cluster.leader()
    expect([node.machine.sum, node.host.replicaOf(GROUP), node.host.damaged]).toEqual([1, replicaId(1, 1), []])
  })

  test('what waited for a slow store when a replica ended does not reach the next one', async () => {
    const gate = new Gate()
    const batches = (): Promise<void> => gate.pass()
    cluster = new RaftCluster({ nodes: 1, storage: (disk) => gatedStorage(createMemoryStorage(disk), { batches }) })
    await cluster.found()
    const node = cluster.node(1)
    gate.close()
    await adds(node, 1)
    await cluster.clock.pass(500)
    const puts = Array.from({ length: 2_500 }, (_, i) => cluster.submit(node, { put: `k${i}` }))
    await cluster.clock.until(() => puts.every(({ result }) => result !== null), 'all answers')
    node.host.removeReplica(GROUP)
    node.host.createReplica(GROUP, replicaId(1, 1), membership([replicaId(1, 1)]))
    gate.open()
    await cluster.leader()
    await cluster.kill(node)
    await cluster.start(node)
    expect(node.host.damaged).toEqual([])
    await cluster.leader()
    expect([node.machine.sum, node.machine.registers.size]).toEqual([0, 0])
  })

  test('what a replica was loading when it ended does not reach the next one, nor the machine that they share', async () => {
    const gate = new Gate()
    let slow = ''
    const machines = new Map<string, ToyMachine>()
    // One for all lives of a replica on a node, as the locks have it.
    const machineFor = (_group: number, name: string): ToyMachine => {
      if (!machines.has(name)) machines.set(name, new ToyMachine())
      return machines.get(name)!
    }
    const storage = (disk: MemoryDisk, name: string): Storage =>
      gatedStorage(createMemoryStorage(disk), { iterates: () => (name === slow ? gate.pass() : Promise.resolve()) })
    cluster = new RaftCluster({ nodes: 3, logBytesMax: 2_000, machineFor, storage })
    await cluster.found()
    const [late] = cluster.followers()
    await cluster.kill(late!)
    const leader = await cluster.leader()
    for (let i = 0; i < 40; i++) await cluster.do(leader, { put: `k${i}`, value: 'x'.repeat(500) })
    await cluster.clock.until(() => leader.host.status(GROUP)!.first > 30, 'compacted')
    await cluster.start(late!)
    slow = late!.name
    gate.close()
    await cluster.clock.until(() => late!.host.stats.snapshotsReceived === 1, 'it has a snapshot')
    await cluster.clock.pass(100)
    expect(late!.host.status(GROUP)!.serving).toBe(false)
    for (const node of cluster.nodes) if (node !== late) await cluster.kill(node)
    const next = replicaId(late!.member, 1)
    late!.host.removeReplica(GROUP)
    late!.host.createReplica(GROUP, next, membership([next]))
    await cluster.leader()
    gate.open()
    await cluster.clock.pass(500)
    expect(late!.machine.registers.size).toBe(0)
  })

  test('a quiet group gets its checkpoints while a busy one keeps the store at work', async () => {
    class BusyMachine extends ToyMachine {
      override get dirty(): number {
        return 5_000
      }
    }
    const [quiet, busy] = [10, 11]
    const batches = (): Promise<void> => new Promise((resolve) => cluster.clock.after(100, resolve))
    cluster = new RaftCluster({
      nodes: 1,
      machineFor: (group) => (group === busy ? new BusyMachine() : new ToyMachine()),
      storage: (disk) => gatedStorage(createMemoryStorage(disk), { batches }),
    })
    const node = cluster.node(1)
    await cluster.start(node)
    for (const group of [quiet, busy]) node.host.createReplica(group, replicaId(1, 0), membership([replicaId(1, 0)]))
    await cluster.clock.until(() => [quiet, busy].every((group) => node.host.status(group)?.role === 'leader'), 'both are led')
    const add = (group: number): void => void node.proposer.submit(group, toyCommand({ add: 1 }), { timeoutMs: 20_000 }, () => {})
    for (let i = 0; i < 300; i++) {
      add(busy)
      if (i === 10) add(quiet)
      await cluster.clock.pass(20)
    }
    const { applied, checkpointed } = node.host.status(quiet)!
    expect(checkpointed).toBe(applied)
  })

  test('a node closes in good order and opens again', async () => {
    cluster = new RaftCluster({ nodes: 1 })
    await cluster.found()
    const node = cluster.node(1)
    await adds(node, 3)
    let closed = false
    void node.host.close().then(() => (closed = true))
    node.proposer.close()
    await cluster.clock.until(() => closed, 'closed')
    await cluster.kill(node)
    await cluster.start(node)
    await cluster.leader()
    expect(node.machine.sum).toBe(3)
  })
})

describe('tracing', () => {
  test('a sampled command is seen at every step, others at none', async () => {
    const seen: string[] = []
    const note =
      (step: string) =>
      (of: { traceparent: string }): void =>
        void seen.push(`${step} ${of.traceparent}`)
    const names = ['received', 'forwarded', 'proposed', 'walSynced', 'replicated', 'committed', 'applied', 'replied'] as const
    const observer = Object.fromEntries(names.map((name) => [name, note(name)])) as unknown as NonNullable<
      ConstructorParameters<typeof RaftCluster>[0]['observer']
    >
    cluster = new RaftCluster({ nodes: 3, observer })
    await cluster.found()
    const [follower] = cluster.followers()
    await cluster.do(follower!, { add: 1 })
    expect(seen).toEqual([])
    await cluster.do(follower!, { add: 1 }, { traceparent: 't1' })
    await cluster.clock.pass(100)
    const count = (step: string): number => seen.filter((line) => line === `${step} t1`).length
    expect(names.map((name) => [name, count(name)])).toEqual([
      ['received', 1],
      ['forwarded', 1],
      ['proposed', 1],
      ['walSynced', 3],
      ['replicated', 2],
      ['committed', 3],
      ['applied', 3],
      ['replied', 1],
    ])
  })
})

describe('founding', () => {
  test('is the same for all founders, and survives an immediate crash', async () => {
    cluster = new RaftCluster({ nodes: 3 })
    for (const node of cluster.nodes) await cluster.start(node)
    const voters = [1, 2, 3].map((member) => replicaId(member, 0))
    for (const node of cluster.nodes) node.host.createReplica(GROUP, replicaId(node.member, 0), membership(voters))
    await cluster.clock.settle()
    for (const node of cluster.nodes) await cluster.kill(node)
    for (const node of cluster.nodes) await cluster.start(node)
    for (const node of cluster.nodes) {
      if (node.host.replicaOf(GROUP) === null) node.host.createReplica(GROUP, replicaId(node.member, 0), membership(voters))
    }
    await cluster.leader()
    expect(await cluster.do(cluster.node(2), { add: 4 })).toEqual({ ok: true, reply: 4 })
  })
})
