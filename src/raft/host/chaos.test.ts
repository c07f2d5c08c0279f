/**
 * Three hosts under random kills, restarts, cuts and losses, with a fixed seed each: every command that was acknowledged
 * has one effect, no command has two, and all replicas end in the same state.
 */
import { afterEach, describe, expect, test } from 'vitest'
import { ColdMachine } from '../../../test/cold-machine.ts'
import { GROUP, type Outcome, RaftCluster, type TestNode } from '../../../test/raft-cluster.ts'
import type { Plain } from '../../actors/envelope.ts'
import { Prng } from '../../base/prng.ts'
import { AREA_COLD, PREFIX_BYTES, wholeGroup } from './keys.ts'

let cluster: RaftCluster

afterEach(async () => {
  await cluster.close()
  expect(cluster.bugs).toEqual([])
})

interface Sent {
  readonly outcome: Outcome
  readonly name: string
}

async function disturb(random: Prng): Promise<void> {
  const node = cluster.nodes[random.below(3)]!
  switch (random.below(6)) {
    case 0:
      return node.up ? cluster.kill(node) : cluster.start(node)
    case 1:
      return cluster.isolate(node, true)
    case 2:
    case 3:
      cluster.cut.clear()
      return
    case 4: {
      const loss = random.below(3) * 0.1
      cluster.loses = () => random.next() < loss
      return
    }
    default:
      for (const other of cluster.nodes) if (!other.up) await cluster.start(other)
  }
}

/** Each command writes a register of its own and adds one: so an effect can be told from two. */
function work(random: Prng, sent: Sent[], n: number): void {
  const up = cluster.nodes.filter((node) => node.up)
  const node = up[random.below(up.length)]
  if (node === undefined) return
  const name = `c${n}`
  sent.push({ name, outcome: cluster.submit(node, { add: 1 }, { timeoutMs: 30_000, key: { key: name, fingerprint: name } }) })
  if (random.below(3) === 0) cluster.submit(node, { put: name, value: 'x'.repeat(random.below(2_000)) })
  if (random.below(4) === 0) cluster.submit(node, random.below(2) === 0 ? { wait: 'gate' } : { open: 'gate' })
  const note = `note${random.below(30)}`
  if (random.below(3) === 0) cluster.submit(node, { note, text: `${n} `.repeat(random.below(500)) })
  else if (random.below(5) === 0) cluster.submit(node, { drop: note })
  else cluster.submit(node, { read: note })
}

function stateOf(node: TestNode): unknown {
  const { sum, registers, gates, notes } = node.machine as ColdMachine
  return [sum, [...registers.keys()].sort(), [...gates], [...notes].sort()]
}

/** The texts of all notes, as this node has them; and how many it keeps. */
async function textsOf(node: TestNode): Promise<unknown> {
  const { notes } = node.machine as ColdMachine
  const texts: Plain[] = []
  for (const name of [...notes.keys()].sort()) texts.push((await cluster.query(node, `note ${name}`, 'stale')) as Plain)
  const stored = await node.disk.stores.get('state')!.iterate(wholeGroup(GROUP)).next(10_000)
  expect(stored.filter(([key]) => key[PREFIX_BYTES] === AREA_COLD).length).toBe(notes.size)
  return texts.map((reply) => (reply as { readonly text: string }).text)
}

describe('under chaos', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('seed %i: one effect each, the same everywhere', async (seed) => {
    const random = new Prng(seed)
    cluster = new RaftCluster({ nodes: 3, logBytesMax: 5_000, machineFor: () => new ColdMachine() })
    await cluster.found()
    const sent: Sent[] = []
    for (let round = 0; round < 60; round++) {
      if (random.below(3) === 0) await disturb(random)
      for (let i = random.below(6); i > 0; i--) work(random, sent, sent.length)
      await cluster.clock.pass(random.below(150))
    }
    cluster.cut.clear()
    cluster.loses = () => false
    for (const node of cluster.nodes) if (!node.up) await cluster.start(node)
    await cluster.leader()
    await cluster.clock.pass(31_000)
    await cluster.converge()
    const [first] = cluster.nodes
    expect(cluster.nodes.map(stateOf)).toEqual(cluster.nodes.map(() => stateOf(first!)))
    await cluster.clock.pass(1_000)
    const texts = await textsOf(first!)
    for (const node of cluster.nodes) expect(await textsOf(node)).toEqual(texts)
    const answered = sent.filter(({ outcome }) => outcome.result?.ok === true)
    const replies = answered.map(({ outcome }) => (outcome.result!.ok ? outcome.result!.reply : null))
    expect(new Set(replies).size).toBe(replies.length)
    expect(answered.length).toBeGreaterThan(sent.length / 4)
    // Asked again under their keys, all of them have exactly one effect.
    const again = sent.map(({ name }) => cluster.submit(first!, { add: 1 }, { key: { key: name, fingerprint: name } }))
    await cluster.clock.until(() => again.every(({ result }) => result !== null), 'all answers')
    expect((await cluster.leader()).machine.sum).toBe(sent.length)
    for (const [i, { outcome }] of sent.entries()) if (outcome.result?.ok === true) expect(again[i]!.result).toEqual(outcome.result)
    expect(cluster.nodes.every((node) => node.host.damaged.length === 0 && node.host.status(GROUP)!.serving)).toBe(true)
  })
})
