/** Whoever reaches a node may ask it anything: what is no question is refused, and stops nothing. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ManualClock } from '../test/manual-clock.ts'
import type { Plain } from './actors/envelope.ts'
import { actorId } from './actors/envelope.ts'
import { createActorSystem } from './actors/system.ts'
import { ADMIN, ADMIN_PATH, type AdminDeps, type AdminOperation, createAdmin } from './admin.ts'
import { TricordError } from './base/errors.ts'
import { Prng } from './base/prng.ts'
import { createLocalBus } from './io/transport-local.ts'

function bed() {
  const clock = new ManualClock()
  const bugs: unknown[] = []
  const asked: string[] = []
  const system = createActorSystem({
    node: 'n1',
    incarnation: 1,
    cluster: 'test',
    clock,
    random: new Prng(1),
    transport: createLocalBus(clock).transport('n1', 1),
    mailboxMax: 10_000,
    drainMax: 1_000,
    onBug: (error) => bugs.push(error),
  })
  const hear =
    (name: string) =>
    async (...of: unknown[]): Promise<never> => {
      asked.push(`${name} ${JSON.stringify(of)}`)
      return name as never
    }
  const cluster = {
    status: hear('status'),
    ring: () => 'ring',
    explain: (key: string) => `${key.length}`,
    plan: hear('plan'),
    addMember: hear('add'),
    removeMember: hear('remove'),
    ready: () => ({ ready: true, reason: '' }),
  }
  system.spawn(ADMIN_PATH, createAdmin({ cluster, metrics: hear('metrics') } as unknown as AdminDeps))
  const ask = async (payload: Plain): Promise<Plain> => {
    const answer = system.ask(actorId('n1', ADMIN_PATH), ADMIN, payload, 1_000).then(
      (reply) => reply.payload,
      (error: TricordError) => error.code,
    )
    await clock.settle()
    return answer
  }
  return { bugs, asked, ask }
}

const OPERATIONS: readonly AdminOperation[] = ['status', 'ring', 'explain', 'plan', 'add_member', 'remove_member', 'ready', 'metrics']

test('questions are answered', async () => {
  const { ask, asked, bugs } = bed()
  expect(await ask(['explain', 'abc'])).toBe('3')
  expect(await ask(['add_member', { id: 'n4', url: '' }])).toBe('add')
  expect(await ask(['plan', { add: [], remove: ['n2'] }])).toBe('plan')
  expect([asked, bugs]).toEqual([['add [{"id":"n4","url":""}]', 'plan [{"add":[],"remove":["n2"]}]'], []])
})

test('anything else is refused', async () => {
  const { ask, bugs } = bed()
  const wrong: readonly Plain[] = [
    5,
    [],
    ['explain'],
    ['explain', 7],
    ['plan', null],
    ['plan', { add: [1], remove: [] }],
    ['add_member', 'n4'],
    ['remove_member', ['n1']],
    ['toString', null],
    ['status', 1],
  ]
  for (const payload of wrong) expect(await ask(payload), JSON.stringify(payload)).toBe('INVALID_ARGUMENT')
  const anything = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Plain>
  for (const [operation, argument] of fc.sample(fc.tuple(fc.constantFrom(...OPERATIONS), anything), { numRuns: 300, seed: 7 })) {
    await ask([operation, argument])
  }
  expect(bugs).toEqual([])
})
