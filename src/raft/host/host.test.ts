/** Three hosts in one process: commands, failover, exactly once, waits, idempotency keys, reads. */
import { afterEach, describe, expect, test } from 'vitest'
import { type Outcome, RaftCluster } from '../../../test/raft-cluster.ts'

let cluster: RaftCluster

async function three(): Promise<void> {
  cluster = new RaftCluster({ nodes: 3 })
  await cluster.found()
}

afterEach(async () => {
  await cluster.close()
  expect(cluster.bugs).toEqual([])
})

describe('commands', () => {
  test('are answered on every node, by the leader, once', async () => {
    await three()
    for (const [i, node] of cluster.nodes.entries()) expect(await cluster.do(node, { add: 10 })).toEqual({ ok: true, reply: 10 * (i + 1) })
    await cluster.converge()
    expect(cluster.nodes.map((node) => node.machine.sum)).toEqual([30, 30, 30])
  })

  test('of one turn share an entry', async () => {
    await three()
    const leader = await cluster.leader()
    const before = leader.host.status(1)!.last
    const outcomes = Array.from({ length: 500 }, () => cluster.submit(leader, { add: 1 }))
    await cluster.clock.until(() => outcomes.every(({ result }) => result !== null), 'all answers')
    expect(outcomes.map(({ result }) => result!.ok && result!.reply)).toEqual(outcomes.map((_, i) => i + 1))
    expect(leader.host.status(1)!.last).toBe(before + 1)
  })

  test('survive the death of the leader: repeated, applied once', async () => {
    await three()
    const leader = await cluster.leader()
    const [follower] = cluster.followers()
    await cluster.do(follower!, { add: 1 })
    const outcomes: Outcome[] = []
    for (let i = 0; i < 20; i++) outcomes.push(cluster.submit(follower!, { add: 1 }))
    await cluster.clock.settle()
    for (let i = 0; i < 20; i++) outcomes.push(cluster.submit(follower!, { add: 1 }))
    await cluster.kill(leader)
    await cluster.clock.until(() => outcomes.every(({ result }) => result !== null), 'all answers')
    expect(outcomes.every(({ result }) => result!.ok)).toBe(true)
    await cluster.converge()
    expect(
      cluster
        .followers()
        .concat(await cluster.leader())
        .map((node) => node.machine.sum),
    ).toEqual([41, 41])
  })

  test('are applied once though every answer is lost', async () => {
    await three()
    const leader = await cluster.leader()
    const [follower] = cluster.followers()
    const outcome = cluster.submit(follower!, { add: 5 })
    cluster.cut.add(`${leader.name}>${follower!.name}`)
    await cluster.clock.until(() => leader.machine.sum === 5, 'applied', 5_000)
    await cluster.clock.pass(50)
    expect(outcome.result).toBe(null)
    cluster.cut.clear()
    await cluster.clock.until(() => outcome.result !== null, 'an answer')
    expect(outcome.result).toEqual({ ok: true, reply: 5 })
    await cluster.converge()
    expect((await cluster.leader()).machine.sum).toBe(5)
  })

  test('without a majority: not applied, or unknown', async () => {
    await three()
    const leader = await cluster.leader()
    cluster.isolate(leader, true)
    expect(await cluster.do(leader, { add: 1 }, { timeoutMs: 2_000 })).toMatchObject({ ok: false, error: { code: 'UNKNOWN_OUTCOME' } })
    expect(await cluster.do(leader, { add: 1 }, { timeoutMs: 2_000 })).toMatchObject({ ok: false, error: { code: 'NO_QUORUM' } })
    cluster.isolate(leader, false)
    await cluster.converge()
    expect(leader.machine.sum).toBe(0)
    expect(await cluster.do(leader, { add: 1 })).toEqual({ ok: true, reply: 1 })
  })

  test('for a group that nobody holds are refused in time', async () => {
    cluster = new RaftCluster({ nodes: 2 })
    for (const node of cluster.nodes) await cluster.start(node)
    expect(await cluster.do(cluster.node(1), { add: 1 }, { timeoutMs: 1_000 })).toMatchObject({ ok: false, error: { code: 'NO_QUORUM' } })
  })

  test('reach the leader from a node that holds no replica', async () => {
    cluster = new RaftCluster({ nodes: 4 })
    await cluster.found(3)
    expect(await cluster.do(cluster.node(4), { add: 3 })).toEqual({ ok: true, reply: 3 })
    expect(await cluster.query(cluster.node(4), 'sum')).toBe(3)
    expect(await cluster.query(cluster.node(4), 'sum', 'stale')).toBeTypeOf('number')
  })
})

describe('commands that a leader took and lost its lead with', () => {
  test('are sent again at once, also by a node that holds no replica', async () => {
    cluster = new RaftCluster({ nodes: 4 })
    const leader = await cluster.found(3)
    const stranger = cluster.node(4)
    await cluster.do(stranger, { add: 1 })
    const others = cluster.followers()
    const links = others.flatMap((other) => [`${leader.name}>${other.name}`, `${other.name}>${leader.name}`])
    for (const link of links) cluster.cut.add(link)
    const outcome = cluster.submit(stranger, { add: 2 })
    const from = cluster.clock.now()
    await cluster.clock.until(() => others.some((node) => node.leads), 'a new leader')
    for (const link of links) cluster.cut.delete(link)
    await cluster.clock.until(() => outcome.result !== null, 'an answer')
    expect(outcome.result).toEqual({ ok: true, reply: 3 })
    // Silence alone would be broken after a second.
    expect(cluster.clock.now() - from).toBeLessThan(800)
    await cluster.converge()
  })

  test('and from there to the new leader, though nobody has noticed yet that the old one is gone', async () => {
    cluster = new RaftCluster({ nodes: 4 })
    const leader = await cluster.found(3)
    const stranger = cluster.node(4)
    cluster.hosts = [leader.name, ...cluster.followers().map(({ name }) => name)]
    await cluster.do(stranger, { add: 1 })
    await cluster.kill(leader)
    const outcomes = [cluster.submit(stranger, { add: 2 })]
    await cluster.clock.until(() => cluster.nodes.some((node) => node.up && node.leads), 'a new leader')
    const from = cluster.clock.now()
    // The first question goes to it as well.
    await cluster.clock.pass(50)
    outcomes.push(cluster.submit(stranger, { add: 4 }))
    await cluster.clock.until(() => outcomes.every(({ result }) => result !== null), 'the answers')
    expect(outcomes.map(({ result }) => result)).toEqual([
      { ok: true, reply: 3 },
      { ok: true, reply: 7 },
    ])
    expect(cluster.clock.now() - from).toBeLessThan(300)
    await cluster.converge()
  })
})

describe('waiting commands', () => {
  test('are settled later, in order', async () => {
    await three()
    const [a, b] = cluster.followers()
    const first = cluster.submit(a!, { wait: 'gate' })
    await cluster.clock.pass(100)
    const second = cluster.submit(b!, { wait: 'gate' })
    await cluster.clock.pass(100)
    expect([first.result, second.result]).toEqual([null, null])
    expect(await cluster.do(a!, { open: 'gate' })).toEqual({ ok: true, reply: 2 })
    await cluster.clock.until(() => first.result !== null && second.result !== null, 'both settled')
    expect([first.result, second.result]).toEqual([
      { ok: true, reply: 1 },
      { ok: true, reply: 2 },
    ])
  })

  test('keep their place when the leader dies', async () => {
    await three()
    const leader = await cluster.leader()
    const [follower] = cluster.followers()
    const outcome = cluster.submit(follower!, { wait: 'gate' })
    await cluster.clock.until(() => leader.machine.gates.size === 1, 'it waits')
    await cluster.clock.pass(50)
    await cluster.kill(leader)
    await cluster.leader()
    expect(await cluster.do(follower!, { open: 'gate' })).toEqual({ ok: true, reply: 1 })
    await cluster.clock.until(() => outcome.result !== null, 'settled')
    expect(outcome.result).toEqual({ ok: true, reply: 1 })
  })

  test('are taken out by a cancel, asked for before or after they wait', async () => {
    await three()
    const leader = await cluster.leader()
    const [follower] = cluster.followers()
    const late = cluster.submit(follower!, { wait: 'gate' })
    await cluster.clock.until(() => leader.machine.gates.size === 1, 'it waits')
    const early = cluster.submit(follower!, { wait: 'gate' })
    await cluster.clock.settle()
    early.cancel()
    late.cancel()
    await cluster.clock.until(() => late.result !== null && early.result !== null, 'cancelled')
    expect([late.result, early.result]).toEqual([
      { ok: true, reply: 'cancelled' },
      { ok: true, reply: 'cancelled' },
    ])
    expect(leader.machine.gates.size).toBe(0)
  })

  test('that are cancelled before they left never leave', async () => {
    await three()
    const leader = await cluster.leader()
    const outcome = cluster.submit(leader, { add: 1 })
    outcome.cancel()
    expect(outcome.result).toBe(null)
    await cluster.clock.until(() => outcome.result !== null, 'given up')
    expect(outcome.result).toMatchObject({ ok: false, error: { code: 'WAIT_TIMEOUT' } })
    await cluster.clock.pass(1_000)
    expect(leader.machine.applied).toBe(0)
  })

  test('are asked for again now and then, which costs the log nothing', async () => {
    await three()
    const leader = await cluster.leader()
    const [follower] = cluster.followers()
    const outcome = cluster.submit(follower!, { wait: 'gate' })
    await cluster.clock.until(() => leader.machine.gates.size === 1, 'it waits')
    cluster.cut.add(`${leader.name}>${follower!.name}`)
    await cluster.clock.pass(30)
    await cluster.do(leader, { open: 'gate' })
    cluster.cut.clear()
    const { last } = leader.host.status(1)!
    await cluster.clock.until(() => outcome.result !== null, 'the answer that was lost comes again', 10_000)
    expect(leader.host.status(1)!.last).toBe(last)
  })

  test('from all sides do not unseat a leader that sleeps: time would stand still for as long as they wait', async () => {
    await three()
    const leader = await cluster.leader()
    const { term } = leader.host.status(1)!
    const waits = cluster.followers().map((node) => cluster.submit(node, { wait: 'gate' }, { timeoutMs: 60_000 }))
    await cluster.clock.until(() => leader.host.status(1)!.quiesced, 'sleep')
    for (let i = 0; i < 6; i++) {
      await cluster.clock.pass(5_000)
      expect(leader.host.status(1)).toMatchObject({ role: 'leader', term })
    }
    expect(waits.map(({ result }) => result)).toEqual([null, null])
  })

  test('whose client gave up are taken out', async () => {
    await three()
    const leader = await cluster.leader()
    const result = await cluster.do(leader, { wait: 'gate' }, { timeoutMs: 500 })
    expect(result).toMatchObject({ ok: false, error: { code: 'UNKNOWN_OUTCOME' } })
    await cluster.clock.until(() => leader.machine.gates.size === 0, 'taken out')
  })
})

describe('idempotency keys', () => {
  const key = (fingerprint: string) => ({ key: 'orders/create/1', fingerprint })

  test('give the same answer, whoever asks', async () => {
    await three()
    const [a, b] = cluster.nodes
    expect(await cluster.do(a!, { add: 7 }, { key: key('f') })).toEqual({ ok: true, reply: 7 })
    expect(await cluster.do(b!, { add: 7 }, { key: key('f') })).toEqual({ ok: true, reply: 7 })
    expect(await cluster.do(b!, { add: 8 }, { key: key('g') })).toMatchObject({ ok: false, error: { code: 'IDEMPOTENCY_KEY_REUSED' } })
    await cluster.converge()
    expect(a!.machine.sum).toBe(7)
  })

  test('of a waiting command lead the repetition to its place', async () => {
    await three()
    const leader = await cluster.leader()
    const [a, b] = cluster.followers()
    const first = cluster.submit(a!, { wait: 'gate' }, { key: key('f') })
    await cluster.clock.until(() => leader.machine.gates.size === 1, 'it waits')
    const again = cluster.submit(b!, { wait: 'gate' }, { key: key('f') })
    await cluster.clock.pass(200)
    expect(leader.machine.gates.size).toBe(1)
    first.cancel()
    await cluster.clock.until(() => first.result !== null, 'the first gives up')
    expect(first.result).toMatchObject({ ok: false, error: { code: 'WAIT_TIMEOUT' } })
    await cluster.do(a!, { open: 'gate' })
    await cluster.clock.until(() => again.result !== null, 'settled')
    expect(again.result).toEqual({ ok: true, reply: 1 })
  })

  test('are forgotten after ten minutes of cluster time', async () => {
    await three()
    const leader = await cluster.leader()
    expect(await cluster.do(leader, { add: 1 }, { key: key('f') })).toEqual({ ok: true, reply: 1 })
    await cluster.clock.pass(610_000)
    expect(await cluster.do(leader, { add: 1 }, { key: key('g') })).toEqual({ ok: true, reply: 2 })
  })
})

describe('time', () => {
  test('expires leases by entries of the leader alone, also while the group sleeps', async () => {
    await three()
    const leader = await cluster.leader()
    await cluster.do(leader, { put: 'k', value: 'v', leaseMs: 5_000 })
    await cluster.clock.until(() => leader.host.status(1)!.quiesced, 'the group sleeps')
    expect(await cluster.query(leader, 'k')).toBe('v')
    const { last } = leader.host.status(1)!
    await cluster.clock.pass(5_100)
    await cluster.converge()
    // After 2 s and 4 s that the time goes on, then that it is over.
    expect(leader.host.status(1)!.last).toBe(last + 3)
    for (const node of cluster.nodes) expect(node.machine.registers.size).toBe(0)
    expect(leader.events).toEqual([{ expired: 'k' }])
    expect(cluster.followers().flatMap((node) => node.events)).toEqual([])
  })

  test('survives a leader of an idle group, but for two seconds', async () => {
    await three()
    const leader = await cluster.leader()
    await cluster.do(leader, { put: 'k', value: 'v', leaseMs: 20_000 })
    await cluster.clock.pass(19_000)
    await cluster.kill(leader)
    for (const node of cluster.nodes) if (node.up) node.host.nodeDown(leader.name)
    const next = await cluster.leader()
    expect(await cluster.query(next, 'k')).toBe('v')
    await cluster.clock.until(() => next.machine.registers.size === 0, 'expired', 3_100)
  })

  test('is said again the more seldom the farther the next deadline is, and never for idempotency keys alone', async () => {
    await three()
    const leader = await cluster.leader()
    await cluster.do(leader, { put: 'k', value: 'v', leaseMs: 800_000 }, { key: { key: 'k', fingerprint: 'f' } })
    const { last } = leader.host.status(1)!
    await cluster.clock.pass(99_000)
    expect(leader.host.status(1)!.last).toBe(last + 2)
    await cluster.do(leader, { put: 'k', value: 'v' })
    await cluster.converge()
    await cluster.clock.pass(400_000)
    expect(leader.host.status(1)!.last).toBe(last + 3)
  })

  test('stands still while nobody leads', async () => {
    await three()
    const leader = await cluster.leader()
    await cluster.do(leader, { put: 'k', value: 'v', leaseMs: 1_000 })
    const [a, b] = cluster.followers()
    await cluster.kill(leader)
    cluster.isolate(a!, true)
    await cluster.clock.pass(10_000)
    cluster.isolate(a!, false)
    const next = await cluster.leader()
    expect(await cluster.query(b!, 'k')).toBe('v')
    await cluster.clock.until(() => next.machine.registers.size === 0, 'expired', 1_500)
  })
})

describe('reads', () => {
  test('are linearizable on every node; stale ones come from anywhere at once', async () => {
    await three()
    const leader = await cluster.leader()
    for (const node of cluster.nodes) {
      await cluster.do(leader, { add: 1 })
      expect(await cluster.query(node, 'sum')).toBe(leader.machine.sum)
    }
    await cluster.converge()
    const cut = cluster.followers()[0]!
    cluster.isolate(cut, true)
    await cluster.do(leader, { add: 1 })
    expect(await cluster.query(cut, 'sum', 'stale')).toBe(3)
    await expect(cluster.query(cut, 'sum')).rejects.toMatchObject({ code: 'NO_QUORUM' })
  })

  test('of a deposed leader are not served', async () => {
    await three()
    const leader = await cluster.leader()
    cluster.isolate(leader, true)
    const others = cluster.nodes.filter((node) => node !== leader)
    await cluster.clock.until(() => others.some((node) => node.leads), 'a new leader')
    await cluster.do(others[0]!, { add: 1 })
    await expect(cluster.query(leader, 'sum')).rejects.toMatchObject({ code: 'NO_QUORUM' })
  })
})

describe('an idle cluster', () => {
  test('sends nothing, and wakes up when a leader dies', async () => {
    await three()
    const leader = await cluster.leader()
    await cluster.do(leader, { add: 1 })
    await cluster.clock.until(() => cluster.nodes.every((node) => node.host.status(1)!.quiesced), 'everybody sleeps')
    await cluster.clock.pass(2_000)
    const sent = cluster.nodes.map((node) => node.host.stats.walFsyncs)
    const peerFrames = cluster.nodes.map((node) => node.system.stats.envelopesIn)
    await cluster.clock.pass(60_000)
    expect(cluster.nodes.map((node) => node.host.stats.walFsyncs)).toEqual(sent)
    expect(cluster.nodes.map((node) => node.system.stats.envelopesIn)).toEqual(peerFrames)
    await cluster.kill(leader)
    await cluster.clock.pass(5_000)
    expect(cluster.nodes.some((node) => node.leads)).toBe(false)
    for (const node of cluster.nodes) if (node.up) node.host.nodeDown(leader.name)
    await cluster.leader()
  })

  test('wakes up too when a command gets no answer from its leader', async () => {
    await three()
    const leader = await cluster.leader()
    const [follower] = cluster.followers()
    await cluster.clock.until(() => cluster.nodes.every((node) => node.host.status(1)!.quiesced), 'everybody sleeps')
    await cluster.kill(leader)
    expect(await cluster.do(follower!, { add: 1 })).toEqual({ ok: true, reply: 1 })
  })
})
