/** Whether a replica leads, and since when one may say so; who hears of a new term first; commands shown as they are taken. */
import { afterEach, describe, expect, test } from 'vitest'
import { GROUP, RaftCluster, type TestNode } from '../../../test/raft-cluster.ts'
import { ToyMachine, toyCommand } from '../../../test/toy-machine.ts'
import type { Plain } from '../../actors/envelope.ts'
import { Prng } from '../../base/prng.ts'
import { type Millis, type Term, replicaId } from '../../base/ids.ts'
import { encodeParcel } from '../batch.ts'
import type { Confirmation } from '../group-host.ts'
import { encodePropose } from './propose-codec.ts'

let cluster: RaftCluster

afterEach(async () => {
  await cluster.close()
  expect(cluster.bugs).toEqual([])
})

type Answer = { readonly confirmation: Confirmation | null; readonly at: Millis } | null

function ask(node: TestNode, group = GROUP): { answer: Answer } {
  const asked: { answer: Answer } = { answer: null }
  node.host.confirm(group, (confirmation) => (asked.answer = { confirmation, at: cluster.clock.now() }))
  expect(asked.answer, 'never while it is asked').toBeNull()
  return asked
}

async function confirm(node: TestNode, group = GROUP): Promise<Confirmation | null> {
  const asked = ask(node, group)
  await cluster.clock.until(() => asked.answer !== null, 'a confirmation')
  return asked.answer!.confirmation
}

describe('a confirmation', () => {
  test('is given to the leader alone, at once where it is the only voter', async () => {
    cluster = new RaftCluster({ nodes: 3 })
    const leader = await cluster.found()
    const { term } = leader.host.status(GROUP)!
    const askedAt = cluster.clock.now()
    expect(await confirm(leader)).toEqual({ term, askedAt })
    expect(await confirm(cluster.followers()[0]!)).toBeNull()
    expect(await confirm(leader, GROUP + 1)).toBeNull()
    await cluster.close()
    cluster = new RaftCluster({ nodes: 1 })
    const alone = await cluster.found()
    const now = cluster.clock.now()
    expect(await confirm(alone)).toMatchObject({ askedAt: now })
    expect(cluster.clock.now()).toBe(now)
  })

  test('wakes a group that sleeps', async () => {
    cluster = new RaftCluster({ nodes: 3 })
    const leader = await cluster.found()
    await cluster.clock.until(() => leader.host.status(GROUP)!.quiesced, 'the group sleeps')
    const askedAt = cluster.clock.now()
    expect(await confirm(leader)).toMatchObject({ askedAt })
  })

  test('costs one round for all that is asked in a turn, and each round has its own time', async () => {
    cluster = new RaftCluster({ nodes: 3 })
    const leader = await cluster.found()
    await cluster.clock.until(() => leader.host.status(GROUP)!.quiesced, 'the group sleeps')
    let frames = 0
    let lost = true
    cluster.loses = (from) => from === leader.name && frames++ >= 0 && lost
    const first = [ask(leader), ask(leader), ask(leader)]
    const firstAt = cluster.clock.now()
    await cluster.clock.settle()
    expect(frames).toBe(2)
    await cluster.clock.pass(15)
    const secondAt = cluster.clock.now()
    lost = false
    const second = ask(leader)
    await cluster.clock.until(() => second.answer !== null, 'the answers')
    for (const { answer } of first) expect(answer?.confirmation?.askedAt).toBe(firstAt)
    expect(second.answer!.confirmation!.askedAt).toBe(secondAt)
    expect(secondAt).toBeGreaterThan(firstAt)
  })

  test('is refused once the lead is lost, and by a replica that goes', async () => {
    cluster = new RaftCluster({ nodes: 3 })
    const leader = await cluster.found()
    cluster.isolate(leader, true)
    const asked = ask(leader)
    await cluster.clock.until(() => asked.answer !== null, 'the end of the lead')
    expect(asked.answer!.confirmation).toBeNull()
    cluster.isolate(leader, false)
    const next = await cluster.leader()
    cluster.isolate(next, true)
    const removed = ask(next)
    await cluster.clock.settle()
    next.host.removeReplica(GROUP)
    await cluster.clock.settle()
    expect(removed.answer).toMatchObject({ confirmation: null })
  })
})

/** What went wrong in a run, and how much there was of what might have. */
interface Tally {
  readonly elected: Map<Term, Millis>
  readonly given: Confirmation[]
  acknowledged: number
  wrong: number
}

/** Of the cluster's life under cuts and hand-overs: every node asks and submits all the time. */
async function trouble(seed: number): Promise<Tally> {
  const random = new Prng(seed)
  const tally: Tally = { elected: new Map(), given: [], acknowledged: 0, wrong: 0 }
  for (const node of cluster.nodes) {
    node.host.onChange(() => {
      const { role, term } = node.host.status(GROUP)!
      if (role === 'leader' && !tally.elected.has(term)) tally.elected.set(term, cluster.clock.now())
    })
  }
  for (let step = 0; step < 400; step++) {
    const node = cluster.nodes[random.below(3)]!
    if (random.next() < 0.04) cluster.isolate(node, true)
    if (random.next() < 0.08) for (const one of cluster.nodes) cluster.isolate(one, false)
    if (random.next() < 0.1) for (const one of cluster.nodes) one.host.transferLeadership(GROUP, replicaId(1 + random.below(3), 0))
    node.proposer.submit(GROUP, toyCommand({ add: 1 }), { timeoutMs: 20_000 }, (result) => {
      if (result.ok) tally.acknowledged++
    })
    for (const one of cluster.nodes) askAndJudge(one, tally)
    await cluster.clock.pass(random.below(30))
  }
  return tally
}

function askAndJudge(node: TestNode, tally: Tally): void {
  const before = tally.acknowledged
  node.host.confirm(GROUP, (confirmation) => {
    if (confirmation === null) return
    const { role, term } = node.host.status(GROUP)!
    tally.given.push(confirmation)
    if (role !== 'leader' || term !== confirmation.term || node.machine.sum < before) tally.wrong++
  })
}

describe('under cuts and hand-overs', () => {
  test.each([1, 2, 3, 4, 5])('no leader is confirmed after its successor was elected, and none that is behind (%i)', async (seed) => {
    cluster = new RaftCluster({ nodes: 3 })
    await cluster.found()
    const { elected, given, wrong } = await trouble(seed)
    expect(given.length).toBeGreaterThan(100)
    expect(elected.size).toBeGreaterThan(5)
    for (const { term, askedAt } of given) {
      for (const [later, at] of elected) if (later > term) expect(askedAt, `term ${term} against ${later}`).toBeLessThanOrEqual(at)
    }
    expect(wrong).toBe(0)
  })
})

describe('a new lead', () => {
  test('is told before the first answer in it is completed', async () => {
    const known = new Map<string, string>()
    const seen: { readonly node: string; readonly told: string; readonly is: string }[] = []
    const stateOf = (name: string): string => {
      const { role, term } = cluster.nodes.find((one) => one.name === name)!.host.status(GROUP)!
      return `${role} ${term}`
    }
    class WatchedMachine extends ToyMachine {
      readonly node: string
      constructor(node: string) {
        super()
        this.node = node
      }
      attach(reply: Plain): Plain {
        seen.push({ node: this.node, told: known.get(this.node)!, is: stateOf(this.node) })
        return reply
      }
    }
    cluster = new RaftCluster({ nodes: 3, machineFor: (_group, node) => new WatchedMachine(node) })
    const leader = await cluster.found()
    for (const { name, host } of cluster.nodes) {
      known.set(name, stateOf(name))
      host.onChange(() => known.set(name, stateOf(name)))
    }
    const bytes = encodeParcel({
      client: 77,
      low: 1,
      acks: [],
      commands: [{ sequence: 1, key: null, traceparent: '', cancels: 0, body: toyCommand({ add: 1 }) }],
    })
    const send = (from: TestNode, to: TestNode, repeat: boolean): void =>
      from.system.send(
        to.host.id,
        'propose',
        encodePropose({ group: GROUP, hops: 0, parcel: 1, client: 77, repeat, essential: false, traces: [], bytes }),
      )
    send(leader, leader, false)
    await cluster.clock.until(() => cluster.nodes.every(({ machine }) => machine.sum === 1), 'all have applied it')
    const [heir] = cluster.followers()
    seen.length = 0
    // The other one sends its vote for the heir, and in the same frame behind it the repetition of a command.
    const other = cluster.followers()[1]!
    other.system.spawn('repeater', {
      receive: (_envelope, ctx) => {
        let left = 200
        const repeat = (): void => {
          send(other, heir!, true)
          if (--left > 0) ctx.enter(repeat)
        }
        repeat()
      },
    })
    cluster.loses = (from, to, frame) => {
      const asksOther = from === heir!.name && to === other.name && Buffer.from(frame).includes('request_vote')
      if (asksOther) other.system.send(`${other.name}/repeater`, 'repeat', null)
      return from === leader.name && Buffer.from(frame).includes('vote_response')
    }
    leader.host.transferLeadership(GROUP, replicaId(heir!.member, 0))
    await cluster.clock.until(() => heir!.leads, 'the heir leads')
    await cluster.clock.pass(50)
    expect(seen.some(({ node }) => node === heir!.name)).toBe(true)
    for (const { told, is } of seen) expect(told).toBe(is)
  })
})

describe('a command', () => {
  test('is shown to the machine of the leader before it is on its way to the others', async () => {
    class ShownMachine extends ToyMachine {
      readonly shown: string[] = []
      preparing(command: Uint8Array): void {
        this.shown.push(new TextDecoder().decode(command))
      }
    }
    cluster = new RaftCluster({ nodes: 3, machineFor: () => new ShownMachine() })
    const leader = await cluster.found()
    const [follower] = cluster.followers()
    const { shown } = leader.machine as ShownMachine
    const framesBefore: number[] = []
    cluster.loses = (from, _to, frame) => {
      if (from === leader.name && Buffer.from(frame).includes('append_entries')) framesBefore.push(shown.length)
      return false
    }
    expect(await cluster.do(follower!, { add: 1 }, { key: { key: 'k', fingerprint: 'f' } })).toMatchObject({ ok: true })
    const waiter = cluster.submit(follower!, { wait: 'g' })
    await cluster.clock.pass(50)
    waiter.cancel()
    await cluster.clock.until(() => waiter.result !== null, 'the end of the wait')
    expect(shown).toEqual(['{"add":1}', '{"wait":"g"}'])
    expect(framesBefore[0]).toBe(1)
    expect((follower!.machine as ShownMachine).shown).toEqual([])
  })
})
