/** I14: the log on disk is no larger than twice what lives in it and a few segments, whoever is stuck. */
import { afterEach, describe, expect, test } from 'vitest'
import { GROUP, RaftCluster, type TestNode, membership } from '../../../test/raft-cluster.ts'
import { toyCommand } from '../../../test/toy-machine.ts'
import { replicaId } from '../../base/ids.ts'
import { createMemoryStorage } from '../../io/storage-memory.ts'
import { wholeGroup } from './keys.ts'

const STUCK = 2
const SEGMENT = 50_000
const TAIL = 4
const ENTRY = { busy: 5_000, stuck: 10_000 }
const ENTRY_OVERHEAD = 150
/** Four of them, the one being written, the one allocated ahead, and one for what is on its way. */
const SEGMENTS = 7

let cluster: RaftCluster
afterEach(async () => {
  await cluster.close()
  expect(cluster.bugs).toEqual([])
})

async function logBytes(node: TestNode): Promise<number> {
  const storage = createMemoryStorage(node.disk)
  const names = await storage.list('wal')
  const files = await Promise.all(names.map((name) => storage.readFile(`wal/${name}`)))
  return files.reduce((sum, bytes) => sum + (bytes?.length ?? 0), 0)
}

/** Twice what no restart could do without, and a constant. */
function allowed(node: TestNode): number {
  const live = (group: number, bytes: number): number => {
    const status = node.host.status(group)
    return status === null ? 0 : (status.last - status.checkpointed) * (bytes + ENTRY_OVERHEAD)
  }
  return 2 * (live(GROUP, ENTRY.busy) + live(STUCK, ENTRY.stuck)) + SEGMENTS * SEGMENT
}

async function work(node: TestNode, count: number, label: string): Promise<void> {
  for (let i = 0; i < count; i++) await cluster.do(node, { put: `${label}${i % 8}`, value: 'v'.repeat(ENTRY.busy) })
}

/** A group on two nodes: one of them has a tail that the other, which has lost its replica, will never take. */
async function strand(): Promise<TestNode> {
  cluster = new RaftCluster({ nodes: 3, segmentBytes: SEGMENT, logBytesMax: 20_000 })
  await cluster.found()
  const two = cluster.nodes.slice(0, 2)
  const voters = membership(two.map(({ member }) => replicaId(member, 0)))
  for (const { host, member } of two) host.createReplica(STUCK, replicaId(member, 0), voters)
  const leading = (): TestNode | undefined => two.find(({ host }) => host.status(STUCK)?.role === 'leader')
  await cluster.clock.until(() => leading() !== undefined, 'a leader')
  const leader = leading()!
  two.find((node) => node !== leader)!.host.removeReplica(STUCK)
  const { last } = leader.host.status(STUCK)!
  for (let i = 0; i < TAIL; i++) {
    leader.proposer.submit(STUCK, toyCommand({ put: `k${i}`, value: 'x'.repeat(ENTRY.stuck) }), { timeoutMs: 1_000 }, () => {})
    await cluster.clock.until(() => leader.host.status(STUCK)!.last > last + i, 'appended')
  }
  return leader
}

describe('the log on disk', () => {
  test('of a node with a group that has lost its quorum stays small while others work, and keeps what the group had', async () => {
    const node = await strand()
    const { last, commit } = node.host.status(STUCK)!
    for (let round = 0; round < 12; round++) {
      await work(node, 30, `r${round}`)
      await cluster.clock.pass(300)
      expect(await logBytes(node)).toBeLessThanOrEqual(allowed(node))
    }
    expect(cluster.log.join('\n')).toContain('the log is cleaned')
    await cluster.kill(node)
    await cluster.start(node)
    expect(node.host.damaged).toEqual([])
    expect(node.host.status(STUCK)).toMatchObject({ last, commit })
    await work(node, 30, 'after')
    await cluster.converge()
  })

  test('of a node with a damaged replica that nobody replaces stays small, and goes on saying that it is damaged', async () => {
    const node = await strand()
    await cluster.kill(node)
    const kv = await createMemoryStorage(node.disk).kv('state')
    await kv.clear(wholeGroup(STUCK))
    await kv.close()
    const damaged = [{ group: STUCK, replica: replicaId(node.member, 0) }]
    for (let life = 0; life < 2; life++) {
      await cluster.start(node)
      expect([node.host.damaged, node.host.status(STUCK)]).toEqual([damaged, null])
      for (let round = 0; round < 8; round++) {
        await work(node, 30, `r${round}`)
        await cluster.clock.pass(300)
        expect(await logBytes(node)).toBeLessThanOrEqual(allowed(node))
      }
      await cluster.kill(node)
    }
    await cluster.start(node)
    expect(node.host.damaged).toEqual(damaged)
    node.host.createReplica(STUCK, replicaId(node.member, 1), null)
    await cluster.clock.until(() => node.host.status(STUCK) !== null, 'made anew')
    await work(node, 30, 'after')
    await cluster.kill(node)
    await cluster.start(node)
    expect([node.host.damaged, node.host.replicaOf(STUCK)]).toEqual([[], replicaId(node.member, 1)])
    await cluster.converge()
  })
})
