/** A full disk, and slow ones: nothing acknowledged is lost, nothing unconfirmed is served. */
import { afterEach, describe, expect, test } from 'vitest'
import { Gate, gatedStorage } from '../../../test/gated-storage.ts'
import { type ClusterOptions, GROUP, RaftCluster, type TestNode } from '../../../test/raft-cluster.ts'
import type { NodeId } from '../../base/ids.ts'
import { DiskFullError } from '../../io/storage.ts'
import { createMemoryStorage } from '../../io/storage-memory.ts'

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

describe('a full disk', () => {
  test('refuses commands and loses none that was acknowledged', async () => {
    let full = false
    const writes = async (): Promise<void> => {
      if (full) throw new DiskFullError('no space left')
    }
    cluster = new RaftCluster({ nodes: 1, storage: (disk) => gatedStorage(createMemoryStorage(disk), { writes }) })
    await cluster.found()
    const node = cluster.node(1)
    expect(await cluster.do(node, { add: 1 })).toEqual({ ok: true, reply: 1 })
    full = true
    const stuck = cluster.submit(node, { add: 1 })
    await cluster.clock.until(() => node.host.stats.diskRoom === 'full', 'the host knows')
    expect(await cluster.do(node, { add: 1 })).toMatchObject({ ok: false, error: { code: 'DISK_LOW' } })
    expect(stuck.result).toBe(null)
    full = false
    await cluster.clock.until(() => stuck.result !== null, 'the disk has space again')
    expect(stuck.result).toEqual({ ok: true, reply: 2 })
    expect(await cluster.do(node, { add: 1 })).toEqual({ ok: true, reply: 3 })
  })
})

describe('a disk that is low', () => {
  const LOW = { ok: false, error: { code: 'DISK_LOW', outcome: 'not-applied' } }

  test('takes what is essential, even beside what is not, and everything once there is room', async () => {
    cluster = new RaftCluster({ nodes: 3 })
    const leader = await cluster.found()
    const [follower] = cluster.followers()
    const waiting = cluster.submit(follower!, { wait: 'gate' })
    expect(await cluster.do(follower!, { add: 1 })).toEqual({ ok: true, reply: 1 })
    leader.disk.freeBytes = 999_999
    await cluster.clock.until(() => leader.host.stats.diskRoom === 'low', 'the host knows')
    const { walBytes } = leader.host.stats
    // In one turn, so in one parcel: then the essential ones go again alone, before the next that are not.
    for (let round = 0; round < 3; round++) {
      const [one, two] = [cluster.submit(follower!, { add: 10 }), cluster.submit(follower!, { open: 'other' }, { essential: true })]
      await cluster.clock.until(() => one.result !== null && two.result !== null, 'both answers')
      expect([one.result, two.result]).toMatchObject([LOW, { ok: true, reply: 0 }])
    }
    expect(leader.host.stats.walBytes).toBeGreaterThan(walBytes)
    expect(await cluster.query(follower!, 'sum')).toBe(1)
    waiting.cancel()
    await cluster.clock.until(() => waiting.result !== null, 'the wait is given up')

    leader.disk.freeBytes = 1_100_000
    await cluster.clock.pass(1_000)
    expect(await cluster.do(follower!, { add: 10 })).toMatchObject(LOW)
    leader.disk.freeBytes = 1_125_000
    await cluster.clock.until(() => leader.host.stats.diskRoom === 'enough', 'the host knows')
    expect(await cluster.do(follower!, { add: 1 })).toEqual({ ok: true, reply: 2 })
    const said = cluster.log.filter((line) => line.includes('the disk'))
    expect(said).toEqual([expect.stringContaining('warn the disk is almost full'), expect.stringContaining('info there is room')])
  })

  test('of one follower is nobody else’s matter; of two it is: a majority would have to store what comes', async () => {
    cluster = new RaftCluster({ nodes: 3 })
    const leader = await cluster.found()
    const [one, other] = cluster.followers() as [TestNode, TestNode]
    const low = async (node: TestNode): Promise<void> => {
      node.disk.freeBytes = 10
      await cluster.clock.until(() => node.host.stats.diskRoom === 'low', 'its host knows')
      leader.host.nodeRoom(node.name, 'low')
    }
    leader.host.nodeUp(one.name)
    await low(one)
    // The other was never heard: nobody may count on his disk.
    expect(await cluster.do(one, { add: 1 })).toMatchObject(LOW)
    leader.host.nodeUp(other.name)
    expect(await cluster.do(one, { add: 1 })).toEqual({ ok: true, reply: 1 })
    await low(other)
    expect(await cluster.do(one, { add: 1 })).toMatchObject(LOW)
    expect(await cluster.do(one, { add: 1 }, { essential: true })).toEqual({ ok: true, reply: 2 })
    for (const { name } of [one, other]) leader.host.nodeRoom(name, 'full')
    expect(await cluster.do(one, { add: 1 }, { essential: true })).toMatchObject(LOW)
    leader.host.nodeRoom(other.name, 'enough')
    expect(await cluster.do(one, { add: 1 })).toEqual({ ok: true, reply: 3 })
  })

  test('and scarce, of a follower: its log grows no further while it could shrink; it catches up once there is room', async () => {
    cluster = new RaftCluster({ nodes: 3, segmentBytes: 4_000, logBytesMax: 2_000, checkpointIntervalMs: 1_000 })
    const leader = await cluster.found()
    const [late] = cluster.followers() as [TestNode]
    await puts(leader, 0, 40)
    late.disk.freeBytes = 200_000
    await cluster.clock.until(() => late.host.stats.diskRoom === 'low', 'its host knows')
    const { walSegments, walBytes } = late.host.stats
    expect(walSegments).toBeGreaterThan(4)
    const { last } = late.host.status(GROUP)!
    await puts(leader, 40, 80)
    expect(late.host.status(GROUP)!.last - last).toBeLessThan(5)
    expect(late.host.stats.walBytes - walBytes).toBeLessThan(4_000)
    // What it can give it gives; then there is nothing to wait for, and it is not left behind for ever.
    await cluster.clock.until(() => late.host.stats.walSegments <= 4, 'the log has shrunk')
    await cluster.converge()
    expect([late.machine.registers.size, late.host.stats.snapshotsReceived]).toEqual([80, 1])
  })

  test('and scarce, of a follower whose store is stuck: it is not sent the same entries all the time', async () => {
    let stuck: NodeId = ''
    const batches = async (node: NodeId): Promise<void> => {
      if (node === stuck) throw new DiskFullError('no space left')
    }
    const storage: ClusterOptions['storage'] = (disk, node) => gatedStorage(createMemoryStorage(disk), { batches: () => batches(node) })
    cluster = new RaftCluster({ nodes: 3, segmentBytes: 4_000, storage })
    const leader = await cluster.found()
    const [late] = cluster.followers() as [TestNode]
    stuck = late.name
    await puts(leader, 0, 40)
    late.disk.freeBytes = 200_000
    await cluster.clock.until(() => late.host.stats.diskRoom === 'low', 'its host knows')
    await puts(leader, 40, 80)
    let bytes = 0
    cluster.loses = (from, to, frame) => {
      if (from === leader.name && to === late.name) bytes += frame.length
      return false
    }
    await cluster.clock.pass(10_000)
    expect(late.host.status(GROUP)!.last).toBeLessThan(leader.host.status(GROUP)!.last)
    // Heartbeats; the entries would be 20 kB each time.
    expect(bytes).toBeLessThan(200_000)
    stuck = ''
    late.disk.freeBytes = 2 ** 40
    await cluster.converge()
  })

  test('and scarce takes no snapshot that leaves less than it takes, and is offered one now and then, not all the time', async () => {
    cluster = new RaftCluster({ nodes: 3, logBytesMax: 2_000 })
    const leader = await cluster.found()
    const [late] = cluster.followers() as [TestNode]
    late.disk.freeBytes = 10_000
    cluster.isolate(late, true)
    await puts(leader, 0, 80)
    await cluster.clock.until(() => leader.host.status(GROUP)!.first > 30, 'compacted')
    cluster.isolate(late, false)
    const refusals = (): number => cluster.log.filter((line) => line.includes('given up: the disk is almost full')).length
    await cluster.clock.until(() => refusals() > 0, 'it is said')
    await cluster.clock.pass(20_000)
    expect([late.host.stats.snapshotsReceived, refusals() >= 3 && refusals() <= 5]).toEqual([0, true])
    late.disk.freeBytes = 200_000
    await cluster.converge()
    expect([late.machine.registers.size, late.host.stats.snapshotsReceived]).toEqual([80, 1])
  })

  test('tells when that changes', async () => {
    cluster = new RaftCluster({ nodes: 1 })
    const node = await cluster.found()
    const rooms: string[] = []
    node.host.onRoom(() => rooms.push(node.host.stats.diskRoom))
    for (const free of [10, 5, 2 ** 40, 2 ** 40]) {
      node.disk.freeBytes = free
      await cluster.clock.pass(1_000)
    }
    expect(rooms).toEqual(['low', 'enough'])
  })
})

describe('a slow disk', () => {
  test('of the leader holds reads back until it has applied what the followers have committed', async () => {
    const gates = new Map<string, Gate>()
    const gateOf = (node: string): Gate => gates.get(node) ?? gates.set(node, new Gate()).get(node)!
    cluster = new RaftCluster({
      nodes: 3,
      storage: (disk, node) => gatedStorage(createMemoryStorage(disk), { writes: () => gateOf(node).pass() }),
    })
    await cluster.found()
    const leader = await cluster.leader()
    expect(await cluster.do(leader, { add: 1 })).toEqual({ ok: true, reply: 1 })
    gateOf(leader.name).close()
    const adding = cluster.submit(leader, { add: 1 })
    await cluster.clock.until(() => leader.host.status(GROUP)!.commit > leader.host.status(GROUP)!.applied, 'committed by the followers')
    let read: unknown = null
    void leader.proposer.query(GROUP, 'sum', { timeoutMs: 900, consistency: 'linearizable' }).then(({ reply }) => (read = reply))
    await cluster.clock.pass(100)
    expect([adding.result, read]).toEqual([null, null])
    gateOf(leader.name).open()
    await cluster.clock.until(() => read !== null, 'the read')
    expect(read).toBe(2)
  })

  test('while a snapshot loads, nothing is served or applied; a newer snapshot takes its place', async () => {
    const gate = new Gate()
    let slow = ''
    cluster = new RaftCluster({
      nodes: 3,
      logBytesMax: 2_000,
      storage: (disk, node) =>
        gatedStorage(createMemoryStorage(disk), { iterates: () => (node === slow ? gate.pass() : Promise.resolve()) }),
    })
    await cluster.found()
    const [late] = cluster.followers()
    await cluster.kill(late!)
    const leader = await cluster.leader()
    await puts(leader, 0, 40)
    await cluster.clock.until(() => leader.host.status(GROUP)!.first > 30, 'compacted')
    await cluster.start(late!)
    slow = late!.name
    gate.close()
    await cluster.clock.until(() => late!.host.stats.snapshotsReceived === 1, 'the snapshot is there')
    await adds(leader, 3)
    await cluster.clock.until(() => late!.host.status(GROUP)!.commit === leader.host.status(GROUP)!.commit, 'the log goes on')
    expect([late!.host.status(GROUP)!.serving, late!.host.machine(GROUP)]).toEqual([false, null])
    expect(await cluster.query(late!, 'sum', 'stale')).toBe(3)
    cluster.isolate(late!, true)
    await puts(leader, 40, 80)
    await cluster.clock.until(() => leader.host.status(GROUP)!.first > 70, 'compacted again')
    cluster.isolate(late!, false)
    await cluster.clock.until(() => late!.host.stats.snapshotsReceived === 2, 'a second snapshot')
    gate.open()
    await cluster.converge()
    expect([late!.machine.sum, late!.machine.registers.size]).toEqual([3, 80])
    await adds(leader, 1)
    await cluster.converge()
    expect(late!.machine.sum).toBe(4)
  })

  test('the log that comes behind a snapshot is applied once it has loaded', async () => {
    const gate = new Gate()
    let slow = ''
    cluster = new RaftCluster({
      nodes: 3,
      logBytesMax: 2_000,
      storage: (disk, node) =>
        gatedStorage(createMemoryStorage(disk), { iterates: () => (node === slow ? gate.pass() : Promise.resolve()) }),
    })
    await cluster.found()
    const [late] = cluster.followers()
    await cluster.kill(late!)
    const leader = await cluster.leader()
    await puts(leader, 0, 40)
    await cluster.clock.until(() => leader.host.status(GROUP)!.first > 30, 'compacted')
    await cluster.start(late!)
    slow = late!.name
    gate.close()
    await cluster.clock.until(() => late!.host.stats.snapshotsReceived === 1, 'the snapshot is there')
    for (let i = 0; i < 5; i++) await adds(leader, 1)
    await cluster.clock.until(() => late!.host.status(GROUP)!.commit === leader.host.status(GROUP)!.commit, 'the log goes on')
    gate.open()
    await cluster.converge()
    expect([late!.machine.sum, late!.machine.registers.size]).toEqual([5, 40])
  })
})
