/** The largest commands, more than a frame and more than a segment of the log: answered, stored, caught up with, and recovered. */
import { afterEach, expect, test } from 'vitest'
import { RaftCluster, type TestNode } from '../../../test/raft-cluster.ts'
import { pageSize } from './page-size.ts'

const VALUE_BYTES = 1_048_576

let cluster: RaftCluster

afterEach(async () => {
  await cluster.close()
  expect(cluster.bugs).toEqual([])
})

const value = (fill: string): string => fill.repeat(VALUE_BYTES)
const filled = (node: TestNode, key: string): string => {
  const text = node.machine.registers.get(key)?.value ?? ''
  return text.length === VALUE_BYTES ? `${text[0]} to ${text.at(-1)}` : `${text.length} bytes`
}

test('go to the leader, to the others, and through crashes', async () => {
  cluster = new RaftCluster({ nodes: 3 })
  await cluster.found()
  const [near, far] = cluster.followers()
  await cluster.kill(far!)
  expect(await cluster.do(near!, { put: 'a', value: value('a') })).toMatchObject({ ok: true })
  const many = ['b', 'c', 'd'].map((key) => cluster.submit(near!, { put: key, value: value(key) }))
  await cluster.clock.until(() => many.every(({ result }) => result !== null), 'the answers')
  for (const { result } of many) expect(result).toMatchObject({ ok: true })
  await cluster.start(far!)
  await cluster.converge()
  for (const node of cluster.nodes)
    expect(['a', 'b', 'c', 'd'].map((key) => filled(node, key))).toEqual(['a to a', 'b to b', 'c to c', 'd to d'])
  for (const node of cluster.nodes) await cluster.kill(node)
  for (const node of cluster.nodes) await cluster.start(node)
  await cluster.leader()
  await cluster.converge()
  for (const node of cluster.nodes) expect(filled(node, 'd')).toBe('d to d')
})

test('are in snapshots', async () => {
  cluster = new RaftCluster({ nodes: 3, logBytesMax: 10_000 })
  const leader = await cluster.found()
  const [, far] = cluster.followers()
  await cluster.kill(far!)
  for (const key of ['a', 'b']) expect(await cluster.do(leader, { put: key, value: value(key) })).toMatchObject({ ok: true })
  for (let i = 0; i < 200; i++) await cluster.do(leader, { add: 1 })
  await cluster.clock.pass(1_000)
  await cluster.start(far!)
  await cluster.converge()
  expect(leader.host.stats.snapshotsSent).toBe(1)
  expect(['a', 'b'].map((key) => filled(far!, key))).toEqual(['a to a', 'b to b'])
})

test('arrive where frames are lost: in pieces or whole, each is applied once', async () => {
  cluster = new RaftCluster({ nodes: 3 })
  await cluster.found()
  const [near] = cluster.followers()
  let frames = 0
  cluster.loses = (_from, _to, frame) => frame.length > 100_000 && ++frames % 3 === 0
  const outcomes = ['a', 'b', 'c'].map((key) => cluster.submit(near!, { put: key, value: value(key) }, { timeoutMs: 60_000 }))
  await cluster.clock.until(() => outcomes.every(({ result }) => result !== null), 'the answers')
  for (const { result } of outcomes) expect(result).toMatchObject({ ok: true })
  expect(frames).toBeGreaterThan(9)
  cluster.loses = () => false
  await cluster.converge()
  for (const node of cluster.nodes) {
    expect(node.machine.applied).toBe(3)
    expect(['a', 'b', 'c'].map((key) => filled(node, key))).toEqual(['a to a', 'b to b', 'c to c'])
  }
})

test('larger ones are refused where they are asked for', async () => {
  cluster = new RaftCluster({ nodes: 1 })
  const leader = await cluster.found()
  expect(await cluster.do(leader, { put: 'a', value: 'a'.repeat(VALUE_BYTES + 65_536) })).toMatchObject({
    ok: false,
    error: { code: 'TOO_LARGE' },
  })
})

test('records are read by their size: many that are small, one that is large', () => {
  expect(pageSize({ pairs: 0, bytes: 0 }, 1_000, 1_048_576)).toBe(1)
  expect(pageSize({ pairs: 10, bytes: 1_000 }, 1_000, 1_048_576)).toBe(1_000)
  expect(pageSize({ pairs: 10, bytes: 1_048_576 }, 1_000, 1_048_576)).toBe(10)
  expect(pageSize({ pairs: 3, bytes: 3_200_000 }, 1_000, 1_048_576)).toBe(1)
})
