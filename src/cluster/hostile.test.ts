/** Messages to the cluster floor that no node would send: nothing breaks, and nothing is taken over from them. */
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ClusterBed } from '../../test/cluster-bed.ts'
import { type Plain, actorId } from '../actors/envelope.ts'
import type { NodeId } from '../base/ids.ts'

let bed: ClusterBed
beforeEach(() => {
  bed = new ClusterBed({ partitions: 2 })
})
afterEach(() => bed.close())

const member = (over: Record<string, Plain> = {}): Plain => ({
  member: 1,
  id: 'n1',
  uid: 'u',
  url: '',
  version: '1',
  state: 'active',
  ...over,
})
const formation = (over: Record<string, Plain> = {}): Plain => ({
  clusterId: 'c',
  name: 'test',
  partitions: 2,
  replicas: 3,
  founders: [member()],
  ...over,
})
const FORMATIONS: readonly Plain[] = [
  0,
  'x',
  [],
  {},
  formation({ founders: [] }),
  formation({ founders: null }),
  formation({ founders: [null] }),
  formation({ founders: [member({ member: 'x' })] }),
  formation({ founders: [member({ member: 0 })] }),
  formation({ partitions: -1 }),
  formation({ partitions: 1e9 }),
]
const view = (over: Record<string, Plain>): Plain => ({
  formation: formation(),
  epoch: 1e9,
  nextMember: 2,
  members: [member()],
  placements: [],
  ...over,
})
const placed = (over: Record<string, Plain>): Plain => view({ placements: [{ group: 1, replicas: [1], lives: [0], ...over }] })
const VIEWS: readonly Plain[] = [
  ...FORMATIONS.map((one) => view({ formation: one })),
  view({ members: [member({ member: 0 })] }),
  view({ members: [null] }),
  view({ placements: [null] }),
  view({ epoch: 0.5 }),
  view({ nextMember: -1 }),
  placed({ lives: [] }),
  placed({ lives: [-1] }),
  placed({ lives: [1024] }),
  placed({ lives: ['x'] }),
  placed({ replicas: [0] }),
  placed({ replicas: ['x'] }),
  placed({ replicas: [1.5] }),
  placed({ replicas: [], lives: [] }),
  placed({ group: -1 }),
]
const rows = (row: Plain): Plain => [1e9, [row]]

/** A message of each kind that is nearly right. */
function nearlyRight(to: NodeId): readonly (readonly [path: string, msgType: string, payload: Plain])[] {
  return [
    ...FORMATIONS.map((one) => ['formation', 'formation_state', ['n2', 'u', '', '1', one]] as const),
    ...VIEWS.map((one) => ['reconciler', 'redistribute_reply', [1, [], one]] as const),
    ['reconciler', 'redistribute_reply', [1, [[1, NaN, -1]], null]],
    ['reconciler', 'redistribute', [1, [[1, 0]], [[1e15, 1e15]], [[0, 1]], true]],
    ['cluster', 'join_cluster', [to, 'u', 'x'.repeat(2_000), '1']],
    ['cluster', 'cluster_status_reply', rows([1, 1, true, 1, 1, 1, [], [], 0])],
    ['reconciler', 'cluster_status_reply', rows([null, null, true, null, null, null, [null], ['x'], null])],
    ['detector', 'node_ping', 77],
    ['detector', 'node_pong', { a: 1 }],
  ]
}

const KINDS = [...new Set(nearlyRight('n1').map(([path, msgType]) => `${path} ${msgType}`))]
const anything: fc.Arbitrary<Plain> = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Plain>

/** Everything to `to`, from a node that belongs to nothing. */
async function assail(to: NodeId): Promise<void> {
  const { system } = await bed.begin('x', ['x', 'y'])
  await bed.until(() => system?.peers.has(to) === true, 'they know each other')
  for (const [path, msgType, payload] of nearlyRight(to)) {
    system?.send(actorId(to, path), msgType, payload)
    await bed.clock.settle()
    expect(bed.bugs, `${msgType} ${JSON.stringify(payload)}`).toEqual([])
  }
  const list = fc.sample(fc.tuple(fc.constantFrom(...KINDS), anything), { numRuns: 300, seed: 7 })
  for (const [kind, payload] of list) {
    const [path = '', msgType = ''] = kind.split(' ')
    system?.send(actorId(to, path), msgType, payload)
  }
  await bed.clock.pass(2_000)
  expect(bed.bugs).toEqual([])
}

test('to a founder that waits for the others', async () => {
  const node = await bed.begin('n1', ['n1', 'n2'])
  await assail('n1')
  expect([node.error, node.started]).toEqual([null, null])
  await bed.begin('n2', ['n1', 'n2'])
  await bed.until(() => bed.up.length === 2 && bed.settled, 'the cluster forms all the same')
})

test('to a member of a cluster that runs', async () => {
  await bed.start(['n1', 'n2', 'n3'])
  await bed.until(() => bed.settled, 'the founding')
  const before = bed.node('n1').started?.directory.epoch
  await assail('n1')
  expect(bed.node('n1').started?.directory.epoch).toBe(before)
})
