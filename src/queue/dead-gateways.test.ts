/** Waits at a gateway that is gone: the machine, and the leader that looks after them, in virtual time. */
import { expect, test } from 'vitest'
import { ManualClock } from '../../test/manual-clock.ts'
import { Bed } from '../../test/queue/bed.ts'
import { type GroupId, partitionGroup } from '../base/ids.ts'
import type { SubmitResult } from '../raft/proposer.ts'
import { decodeCommand } from './codec.ts'
import { endWaitsOfDeadGateways, lifeOf } from './dead-gateways.ts'
import { createQueueMachine } from './machine.ts'
import * as replies from './replies.ts'
import { QUEUE_LIMITS } from './types.ts'

const NAME = { namespace: 'default', queue: 'q' }
const WAITS_MAX = QUEUE_LIMITS.abandonedPerEntryMax

function wait(bed: Bed, gateway?: string): number {
  const dequeue = { type: 'queue_dequeue', ...NAME, max: 1, waitMs: 20_000, visibilityMs: null, consumer: '', watcher: '' } as const
  expect(bed.run(gateway === undefined ? dequeue : { ...dequeue, gateway })).toBeNull()
  return bed.ticket
}

function enqueue(bed: Bed): void {
  const one = { body: Uint8Array.of(1), group: '', dedupId: '', delayMs: 0, priority: 0, ttlMs: 0 }
  bed.run({ type: 'queue_enqueue', ...NAME, messages: [one] })
}

const machineOf = (bed: Bed) => bed.machine as ReturnType<typeof createQueueMachine>

test('those who waited at a gateway that is gone get nothing, the others what comes; over a restart too', () => {
  const first = new Bed()
  first.run({ type: 'queue_put', ...NAME, config: {} })
  const [gone, other, later, untold] = [wait(first, 'n1@7'), wait(first, 'n2@7'), wait(first, 'n1@8'), wait(first)]
  for (const bed of [first.copy(), first]) {
    expect(machineOf(bed).gateways()).toEqual(['n1@7', 'n2@7', 'n1@8'])
    expect(bed.run({ type: 'queue_abandon', gateway: 'n1@7' })).toEqual({ type: 'moved', moved: 1 })
    expect(bed.settledLog).toEqual([{ ticket: gone, reply: { type: 'delivered', messages: [] } }])
    for (const ticket of [other, later, untold]) {
      enqueue(bed)
      expect(bed.settledLog.at(-1)).toMatchObject({ ticket, reply: { messages: [{ attempt: 1 }] } })
    }
    expect(machineOf(bed).gateways()).toEqual([])
    expect(bed.run({ type: 'queue_abandon', gateway: 'n1@7' })).toEqual({ type: 'moved', moved: 0 })
  }
})

test('many waits end in several entries', () => {
  const bed = new Bed()
  bed.run({ type: 'queue_put', ...NAME, config: {} })
  bed.machine.check = () => {}
  for (let nth = 0; nth < WAITS_MAX + 5; nth++) wait(bed, 'n1@7')
  expect(bed.run({ type: 'queue_abandon', gateway: 'n1@7' })).toEqual({ type: 'moved', moved: WAITS_MAX })
  expect(bed.run({ type: 'queue_abandon', gateway: 'n1@7' })).toEqual({ type: 'moved', moved: 5 })
})

/** A node that leads partition 0, and not partition 1. */
function leader() {
  const clock = new ManualClock()
  const [led, followed] = [partitionGroup(0), partitionGroup(1)]
  const waiting = new Map([
    [led, ['n2@7', 'n3@7']],
    [followed, ['n2@7']],
  ])
  const sent: { readonly group: GroupId; readonly command: unknown; readonly done: (result: SubmitResult) => void }[] = []
  const over = new Set<string>()
  const waits = endWaitsOfDeadGateways({
    clock,
    proposer: {
      submit(group, command, options, done) {
        expect(options.essential).toBe(true)
        sent.push({ group, command: decodeCommand(command), done })
        return { cancel() {} }
      },
    },
    machines: new Map([...waiting.keys()].map((group) => [group, { gateways: () => waiting.get(group) ?? [] }])),
    leads: (group) => group === led,
    isOver: (node, incarnation) => over.has(lifeOf(node, incarnation)),
  })
  return { clock, led, waiting, sent, over, waits }
}

test('a leader ends the waits of a gateway that is gone for more than a moment, one entry at a time', async () => {
  const { clock, led, waiting, sent, over, waits } = leader()
  await clock.pass(5_000)
  expect(sent).toEqual([])
  over.add('n2@7')
  await clock.pass(2_000)
  expect(sent).toMatchObject([{ group: led, command: { type: 'queue_abandon', gateway: 'n2@7' } }])
  await clock.pass(5_000)
  expect(sent).toHaveLength(1)
  // More are left.
  sent[0]?.done({ ok: true, reply: replies.moved(WAITS_MAX) })
  await clock.pass(1_000)
  expect(sent).toHaveLength(2)
  waiting.set(led, ['n3@7'])
  sent[1]?.done({ ok: true, reply: replies.moved(1) })
  await clock.pass(5_000)
  expect(sent).toHaveLength(2)
  over.add('n3@7')
  waits.close()
  await clock.pass(5_000)
  expect(sent).toHaveLength(2)
})

test('a node that answers again at once was not gone', async () => {
  const { clock, sent, over } = leader()
  await clock.pass(500)
  over.add('n2@7')
  await clock.pass(1_000)
  over.clear()
  await clock.pass(1_000)
  over.add('n2@7')
  await clock.pass(1_000)
  expect(sent).toEqual([])
})
