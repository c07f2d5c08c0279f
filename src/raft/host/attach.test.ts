/** What leaves with an answer and is no part of the state: texts out of cold records, and who has them on disk. */
import { afterEach, describe, expect, test } from 'vitest'
import { ColdMachine } from '../../../test/cold-machine.ts'
import { Gate, gatedStorage } from '../../../test/gated-storage.ts'
import { GROUP, RaftCluster, type TestNode } from '../../../test/raft-cluster.ts'
import type { Plain } from '../../actors/envelope.ts'
import { createMemoryStorage } from '../../io/storage-memory.ts'
import type { KeyOutcome } from '../proposer.ts'
import { AREA_COLD, areaKey, generations, prefixOf } from './keys.ts'

let cluster: RaftCluster

afterEach(async () => {
  await cluster.close()
  expect(cluster.bugs).toEqual([])
})

const machineFor = (): ColdMachine => new ColdMachine()
const machineOf = (node: TestNode): ColdMachine => node.machine as ColdMachine
const storeOf = (node: TestNode) => node.disk.stores.get('state')!
const textOf = (reply: Plain): Plain => (reply as { readonly text?: string })?.text ?? null

async function note(node: TestNode, name: string, text: string): Promise<void> {
  expect(await cluster.do(node, { note: name, text })).toMatchObject({ ok: true, reply: { note: name, text } })
}

async function read(node: TestNode, name: string): Promise<Plain> {
  const result = await cluster.do(node, { read: name })
  return result.ok ? textOf(result.reply) : null
}

/** Everything has gone to the store of every node. */
const drained = (): Promise<void> => cluster.clock.pass(500)

/** Where the text of a note is in the store of the node. */
function keyIn(node: TestNode, name: string, generation = 1): Uint8Array {
  return areaKey(prefixOf(GROUP, generation), AREA_COLD, machineOf(node).keyOf(name))
}

const lose = (node: TestNode, name: string, generation = 1) =>
  storeOf(node).batch([{ key: keyIn(node, name, generation), value: null }], { sync: true })

/** Three nodes whose reads of cold records can be held up, each at its gate. */
async function gated(): Promise<readonly [leader: TestNode, gates: ReadonlyMap<string, Gate>]> {
  const gates = new Map(['n1', 'n2', 'n3'].map((name) => [name, new Gate()]))
  cluster = new RaftCluster({
    nodes: 3,
    machineFor,
    storage: (disk, name) => gatedStorage(createMemoryStorage(disk), { gets: () => gates.get(name)!.pass() }),
  })
  return [await cluster.found(), gates]
}

/** Leads no more, and then reads what it was asked for. */
async function deposed(leader: TestNode, next: TestNode, gates: ReadonlyMap<string, Gate>): Promise<void> {
  await cluster.clock.pass(50)
  leader.host.transferLeadership(GROUP, next.host.replicaOf(GROUP)!)
  await cluster.clock.until(() => next.leads, 'handed over')
  gates.get(leader.name)!.open()
  await cluster.clock.pass(100)
}

describe('an answer', () => {
  test('is completed each time it leaves: at first, repeated, after a wait, to a query, to a question for its key', async () => {
    cluster = new RaftCluster({ nodes: 3, machineFor })
    const leader = await cluster.found()
    const [follower] = cluster.followers()
    const waiter = cluster.submit(follower!, { await: 'a' }, { key: { key: 'wait', fingerprint: 'f' } })
    await cluster.clock.pass(50)
    const key = { key: 'once', fingerprint: 'f' }
    expect(await cluster.do(leader, { note: 'a', text: 'hello' }, { key })).toMatchObject({ ok: true, reply: { text: 'hello' } })
    await cluster.clock.until(() => waiter.result !== null, 'the wait is over')
    expect(waiter.result).toMatchObject({ ok: true, reply: { note: 'a', text: 'hello' } })
    await drained()
    expect(machineOf(leader).fresh.size).toBe(0)
    expect(await cluster.do(follower!, { note: 'a', text: 'hello' }, { key })).toMatchObject({ ok: true, reply: { text: 'hello' } })
    expect(await read(follower!, 'a')).toBe('hello')
    expect(textOf(await cluster.query(follower!, 'note a'))).toBe('hello')
    expect(textOf(await cluster.query(follower!, 'note a', 'stale'))).toBe('hello')
    for (const name of ['once', 'wait']) {
      let outcome: KeyOutcome | null = null
      void follower!.proposer.outcome(GROUP, name, { timeoutMs: 5_000, consistency: 'linearizable' }).then((got) => (outcome = got))
      await cluster.clock.until(() => outcome !== null, 'what became of it')
      expect(outcome).toMatchObject({ state: 'answered', result: { ok: true, reply: { text: 'hello' } } })
    }
  })

  test('tells who has the entry on disk, sorted', async () => {
    cluster = new RaftCluster({ nodes: 3, machineFor })
    const leader = await cluster.found()
    await note(leader, 'a', 'x')
    await cluster.converge()
    expect(await cluster.do(leader, { read: 'a' })).toMatchObject({ reply: { durableOn: ['n1', 'n2', 'n3'] } })
    const [dead, other] = cluster.followers()
    await cluster.kill(dead!)
    const reply = await cluster.do(leader, { note: 'b', text: 'y' })
    expect(reply).toMatchObject({ reply: { durableOn: [leader.name, other!.name].sort() } })
  })

  test('that lost what it speaks of meanwhile says so, and nothing is taken for damage', async () => {
    const gets = new Gate()
    cluster = new RaftCluster({
      nodes: 1,
      machineFor,
      storage: (disk) => gatedStorage(createMemoryStorage(disk), { gets: () => gets.pass() }),
    })
    const leader = await cluster.found()
    await note(leader, 'a', 'x')
    await drained()
    gets.close()
    const outcome = cluster.submit(leader, { read: 'a' })
    await cluster.clock.pass(50)
    await cluster.do(leader, { drop: 'a' })
    await drained()
    gets.open()
    await cluster.clock.until(() => outcome.result !== null, 'an answer')
    expect(outcome.result).toEqual({ ok: true, reply: { note: 'a', gone: true } })
    expect(leader.host.damaged).toEqual([])
  })

  test('whose text came too late, after the lead was lost, is given by the next leader', async () => {
    const [leader, gates] = await gated()
    await note(leader, 'a', 'x')
    await drained()
    const [client] = cluster.followers()
    for (const gate of gates.values()) gate.close()
    const outcome = cluster.submit(client!, { read: 'a' })
    await deposed(leader, client!, gates)
    expect(machineOf(leader).attached).toBe(2)
    expect(outcome.result).toBeNull()
    gates.get(client!.name)!.open()
    await cluster.clock.until(() => outcome.result !== null, 'an answer')
    expect(outcome.result).toMatchObject({ ok: true, reply: { text: 'x' } })
    expect(machineOf(client!).attached).toBeGreaterThan(0)
  })
})

describe('what became of a key', () => {
  test('is told by the next leader, where its text came too late and the lead was lost', async () => {
    const [leader, gates] = await gated()
    await cluster.do(leader, { note: 'a', text: 'x' }, { key: { key: 'once', fingerprint: 'f' } })
    await drained()
    const [client] = cluster.followers()
    for (const gate of gates.values()) gate.close()
    let outcome: KeyOutcome | null = null
    void client!.proposer.outcome(GROUP, 'once', { timeoutMs: 5_000, consistency: 'linearizable' }).then((got) => (outcome = got))
    await deposed(leader, client!, gates)
    expect(outcome).toBeNull()
    gates.get(client!.name)!.open()
    await cluster.clock.until(() => outcome !== null, 'what became of it')
    expect(outcome).toMatchObject({ state: 'answered', result: { ok: true, reply: { text: 'x' } } })
  })
})

describe('cold records', () => {
  test.each([0, 60, 150, 1_500])('are there after a kill %i ms later, those drained and those in the log alone', async (later) => {
    cluster = new RaftCluster({ nodes: 1, machineFor })
    const node = await cluster.found()
    for (let i = 0; i < 20; i++) await note(node, `k${i}`, `text ${i}`)
    await cluster.do(node, { drop: 'k3' })
    await note(node, 'k4', 'again')
    await cluster.clock.pass(later)
    await cluster.kill(node)
    await cluster.start(node)
    await cluster.leader()
    expect(await read(node, 'k0')).toBe('text 0')
    expect(await read(node, 'k4')).toBe('again')
    expect(await read(node, 'k3')).toBeNull()
    await cluster.do(node, { drop: 'k0' })
    await note(node, 'k20', 'later')
    await drained()
    expect([await read(node, 'k20'), await read(node, 'k19')]).toEqual(['later', 'text 19'])
    const iterator = storeOf(node).iterate({ gte: areaKey(prefixOf(GROUP, 1), AREA_COLD, new Uint8Array(0)) })
    expect((await iterator.next(1_000)).length).toBe(machineOf(node).notes.size)
  })

  test('go to a replica that the log no longer reaches', async () => {
    cluster = new RaftCluster({ nodes: 3, machineFor, logBytesMax: 2_000 })
    await cluster.found()
    const [late, other] = cluster.followers()
    await cluster.kill(late!)
    const leader = await cluster.leader()
    for (let i = 0; i < 40; i++) await note(leader, `k${i}`, `${i}`.padEnd(20_000, '.'))
    await cluster.clock.until(() => leader.host.status(GROUP)!.first > 30, 'compacted')
    await cluster.start(late!)
    await cluster.converge()
    expect(late!.host.stats.snapshotsReceived).toBe(1)
    await cluster.kill(leader)
    await cluster.clock.until(() => late!.leads || other!.leads, 'another leader')
    if (other!.leads) {
      other!.host.transferLeadership(GROUP, late!.host.replicaOf(GROUP)!)
      await cluster.clock.until(() => late!.leads, 'the late one leads')
    }
    for (let i = 0; i < 40; i++) expect(await read(late!, `k${i}`)).toBe(`${i}`.padEnd(20_000, '.'))
    // And from there on they are kept like all others.
    await cluster.do(late!, { drop: 'k5' })
    await drained()
    await cluster.kill(late!)
    await cluster.start(late!)
    await cluster.leader()
    expect([await read(late!, 'k5'), await read(late!, 'k6')]).toEqual([null, '6'.padEnd(20_000, '.')])
    expect(cluster.nodes.flatMap((node) => (node.up ? node.host.damaged : []))).toEqual([])
  })

  test('read while a snapshot takes their place are read again, from it', async () => {
    const gets = new Map(['n1', 'n2', 'n3'].map((name) => [name, new Gate()]))
    cluster = new RaftCluster({
      nodes: 3,
      machineFor,
      logBytesMax: 2_000,
      storage: (disk, name) => gatedStorage(createMemoryStorage(disk), { gets: () => gets.get(name)!.pass() }),
    })
    await cluster.found()
    const [late] = cluster.followers()
    const leader = await cluster.leader()
    await note(leader, 'a', 'old')
    await drained()
    cluster.isolate(late!, true)
    for (let i = 0; i < 40; i++) await note(leader, `k${i}`, `${i}`.padEnd(500, '.'))
    await cluster.clock.until(() => leader.host.status(GROUP)!.first > 30, 'compacted')
    gets.get(late!.name)!.close()
    let reply: Plain = null
    void late!.proposer.query(GROUP, 'note a', { timeoutMs: 10_000, consistency: 'stale' }).then((answer) => (reply = answer.reply))
    await cluster.clock.pass(50)
    cluster.isolate(late!, false)
    await cluster.clock.until(() => late!.host.stats.snapshotsReceived === 1 && late!.host.status(GROUP)!.serving, 'the snapshot is in')
    await cluster.clock.pass(300)
    gets.get(late!.name)!.open()
    await cluster.clock.until(() => reply !== null, 'an answer')
    expect(textOf(reply)).toBe('old')
    expect(late!.host.damaged).toEqual([])
  })

  test('of many bytes do not wait for their time to go to the store', async () => {
    cluster = new RaftCluster({ nodes: 1, machineFor, checkpointIntervalMs: 60_000 })
    const node = await cluster.found()
    for (let i = 0; i < 9; i++) await note(node, `k${i}`, 'x'.repeat(200_000))
    expect(machineOf(node).fresh.size).toBeLessThan(6)
    expect(await read(node, 'k0')).toBe('x'.repeat(200_000))
  })

  test('beyond so many bytes that wait for the store, the leader takes no more', async () => {
    const batches = new Gate()
    cluster = new RaftCluster({
      nodes: 1,
      machineFor,
      storage: (disk) => gatedStorage(createMemoryStorage(disk), { batches: () => batches.pass() }),
    })
    const node = await cluster.found()
    batches.close()
    const text = 'x'.repeat(200_000)
    let refused: unknown = null
    let taken = 0
    for (; refused === null && taken < 400; taken++) {
      const result = await cluster.do(node, { note: `k${taken}`, text })
      if (!result.ok) refused = result.error.code
    }
    expect(refused).toBe('OVERLOADED')
    expect(taken * 200_000).toBeGreaterThan(64 * 1024 * 1024)
    expect(await read(node, 'k0').catch(() => null)).toBeNull()
    batches.open()
    await drained()
    await note(node, 'more', 'is taken')
    expect(await read(node, 'k0')).toBe(text)
  })
})

describe('damage found in a replica that serves', () => {
  test('makes it hand over: the next leader answers; the finder is reported, and still votes', async () => {
    cluster = new RaftCluster({ nodes: 3, machineFor })
    const leader = await cluster.found()
    await note(leader, 'a', 'x')
    await drained()
    await lose(leader, 'a')
    const [follower] = cluster.followers()
    expect(await read(follower!, 'a')).toBe('x')
    expect(leader.leads).toBe(false)
    expect(leader.host.damaged).toEqual([{ group: GROUP, replica: leader.host.replicaOf(GROUP) }])
    expect(leader.host.status(GROUP)!.role).toBe('follower')
    await cluster.kill(cluster.nodes.find((node) => node.up && !node.leads && node !== leader)!)
    await note(follower!, 'b', 'y')
  })

  test('in every replica ends in one that leads all the same', async () => {
    cluster = new RaftCluster({ nodes: 3, machineFor })
    const leader = await cluster.found()
    await note(leader, 'a', 'x')
    await drained()
    for (const node of cluster.nodes) await lose(node, 'a')
    const outcome = cluster.submit(leader, { read: 'a' }, { timeoutMs: 5_000 })
    await cluster.clock.until(() => outcome.result !== null, 'no answer in time')
    expect(outcome.result).toMatchObject({ ok: false })
    expect(cluster.nodes.map((node) => node.host.damaged.length)).toEqual([1, 1, 1])
    const elections = cluster.nodes.map((node) => node.host.stats.elections)
    await note(await cluster.leader(), 'b', 'y')
    await cluster.clock.pass(10_000)
    expect(cluster.nodes.map((node) => node.host.stats.elections)).toEqual(elections)
  })

  test('while a snapshot is read: no copy is made of what is not whole; another makes one', async () => {
    cluster = new RaftCluster({ nodes: 3, machineFor, logBytesMax: 2_000 })
    await cluster.found()
    const [late] = cluster.followers()
    await cluster.kill(late!)
    const leader = await cluster.leader()
    for (let i = 0; i < 40; i++) await note(leader, `k${i}`, `${i}`.padEnd(500, '.'))
    await cluster.clock.until(() => leader.host.status(GROUP)!.first > 30, 'compacted')
    await drained()
    await lose(leader, 'k7')
    await cluster.start(late!)
    await cluster.clock.until(() => late!.host.stats.snapshotsReceived === 1, 'a snapshot is there')
    await cluster.converge()
    expect(leader.host.damaged).toHaveLength(1)
    expect(leader.host.stats.snapshotsSent).toBe(0)
    const pairs = await storeOf(late!)
      .iterate(generations(GROUP, 0, 100))
      .next(1_000)
    expect(pairs.filter(([key]) => key[8] === AREA_COLD)).toHaveLength(40)
  })
})
