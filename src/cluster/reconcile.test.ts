import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { loadHash } from '../io/hash.ts'
import { META_GROUP, memberOf, replicaId } from '../base/ids.ts'
import type { PeerProgress } from '../raft/core/raft-core.ts'
import { firstStep, isJoint, leaveJoint } from '../raft/core/membership.ts'
import type { Membership } from '../raft/core/types.ts'
import { type GroupState, planGroup, targetOf } from './reconcile-group.ts'
import { type LocalReplica, type LocalState, planLocal, replicaKey } from './reconcile-local.ts'
import { needsSurvey, planMeta } from './reconcile-meta.ts'
import { LeaderRestore, type LedGroup } from './restore-leaders.ts'
import { Verdicts } from './failure-detector.ts'
import type { Formation, Member, MetaView, Placement } from './types.ts'

const hash = await loadHash()
const id = (member: number, life = 0): number => replicaId(member, life)
const peer = (replica: number, match: number, change: Partial<PeerProgress> = {}): PeerProgress => ({
  replica,
  match,
  next: match + 1,
  state: 'replicate',
  active: true,
  learner: false,
  ...change,
})
const of = (voters: readonly number[], learners: readonly number[] = []): Membership => ({
  voters,
  outgoing: [],
  learners,
  learnersNext: [],
})

describe('the plan of a group’s leader', () => {
  const state = (change: Partial<GroupState>): GroupState => ({
    self: id(1),
    membership: of([id(1), id(2), id(3)]),
    progress: [],
    last: 1_000,
    target: { voters: [id(1), id(2), id(3)], learners: [] },
    asking: () => true,
    alive: () => true,
    mayAdd: true,
    ...change,
  })

  test('asks first, learns, is promoted when caught up; the one given up goes in the same change', () => {
    const target = { voters: [id(1), id(2), id(4)], learners: [] }
    expect(planGroup(state({}))).toEqual({ type: 'steady' })
    expect(planGroup(state({ target, asking: () => false }))).toEqual({ type: 'wait', moving: false, missing: [id(4)] })
    expect(planGroup(state({ target, mayAdd: false }))).toEqual({ type: 'wait', moving: false, missing: [] })
    expect(planGroup(state({ target }))).toEqual({ type: 'change', voters: [id(1), id(2), id(3)], learners: [id(4)], moving: true })
    const membership = of([id(1), id(2), id(3)], [id(4)])
    expect(planGroup(state({ target, membership, progress: [peer(id(4), 10)] }))).toEqual({ type: 'wait', moving: true, missing: [] })
    expect(planGroup(state({ target, membership, progress: [peer(id(4), 990, { state: 'snapshot' })] }))).toEqual({
      type: 'wait',
      moving: true,
      missing: [],
    })
    const step = planGroup(state({ target, membership, progress: [peer(id(4), 990)] }))
    expect(step).toEqual({ type: 'change', voters: [id(1), id(2), id(4)], learners: [], moving: false })
  })

  test('one that never comes does not keep the other out, nor cost the group a voter', () => {
    const target = { voters: [id(1), id(4), id(5)], learners: [] }
    const membership = of([id(1), id(2), id(3)], [id(4), id(5)])
    const progress = [peer(id(4), 1_000), peer(id(5), 0, { state: 'probe' })]
    const alive = (replica: number): boolean => replica !== id(5) && replica !== id(2)
    const step = planGroup(state({ target, membership, progress, alive }))
    // n2 is dead: it goes first.
    expect(step).toEqual({ type: 'change', voters: [id(1), id(4), id(3)], learners: [id(5)], moving: false })
  })

  test('is never left to voters of whom no majority is up', () => {
    const target = { voters: [id(1), id(2)], learners: [] }
    const without2 = (replica: number): boolean => replica !== id(2)
    expect(planGroup(state({ target, alive: without2 }))).toEqual({ type: 'wait', moving: false, missing: [] })
    expect(planGroup(state({ target }))).toMatchObject({ type: 'change', voters: [id(1), id(2)] })
    // The one that is down goes, or one of three stays away: two of them are enough.
    expect(planGroup(state({ target: { voters: [id(1), id(3)], learners: [] }, alive: without2 }))).toMatchObject({ type: 'change' })
    const membership = of([id(1), id(2), id(3)], [id(4)])
    const swapped = state({
      target: { voters: [id(1), id(2), id(4)], learners: [] },
      membership,
      progress: [peer(id(4), 990)],
      alive: without2,
    })
    expect(planGroup(swapped)).toMatchObject({ type: 'change', voters: [id(1), id(2), id(4)] })
  })

  test('one that lives and is in the way of its own next life goes first, one at a time, where the others are well', () => {
    const target = { voters: [id(1), id(2, 1), id(3, 1)], learners: [] }
    const progress = [1, 2, 3].map((member) => peer(id(member), 1_000))
    const asking = (replica: number): boolean => replica === id(2) || replica === id(3)
    const waits = { type: 'wait', moving: false, missing: [id(2, 1), id(3, 1)] }
    const ask = (change: Partial<GroupState>) => planGroup(state({ target, progress, asking, ...change }))
    expect(ask({})).toEqual({ type: 'change', voters: [id(1), id(3)], learners: [], moving: false })
    expect(ask({ membership: of([id(1), id(3)]) })).toEqual(waits)
    expect(ask({ asking: () => false })).toEqual(waits)
    expect(ask({ alive: (replica) => replica !== id(3) })).toEqual(waits)
    expect(ask({ progress: [peer(id(1), 1_000), peer(id(2), 1_000), peer(id(3), 10)] })).toEqual(waits)
    // One of two.
    const ofTwo = { voters: [id(1), id(2, 1)], learners: [] }
    expect(ask({ target: ofTwo, membership: of([id(1), id(2)]) })).toMatchObject({ type: 'change', voters: [id(1)] })
    // It leads: it has to hand over first.
    expect(ask({ self: id(2), target: { voters: [id(1), id(2, 1), id(3)], learners: [] } })).toMatchObject({ type: 'wait' })
    // Its next life is there: they change places.
    const learns = of([id(1), id(2), id(3)], [id(2, 1)])
    const ready = [...progress, peer(id(2, 1), 1_000, { learner: true })]
    expect(ask({ membership: learns, progress: ready, asking: (replica) => replica === id(2) })).toMatchObject({
      type: 'change',
      voters: [id(1), id(2, 1), id(3)],
    })
  })

  test('a member never votes in two lives, even while others are awaited', () => {
    const target = { voters: [id(1), id(2), id(3, 1), id(4), id(5)], learners: [] }
    const membership = of([id(1), id(2), id(3)], [id(3, 1), id(4)])
    const progress = [peer(id(1), 1_000), peer(id(2), 1_000), peer(id(3, 1), 1_000, { learner: true })]
    const step = planGroup(state({ target, membership, progress, alive: (replica) => replica !== id(3) }))
    expect(step).toMatchObject({ type: 'change', voters: [id(1), id(2), id(3, 1)] })
  })

  test('waits while joint', () => {
    const membership = { ...of([id(1), id(2), id(4)]), outgoing: [id(1), id(2), id(3)] }
    expect(planGroup(state({ membership }))).toEqual({ type: 'wait', moving: true, missing: [] })
  })

  test('from any membership to any target: always a quorum of known voters, never fewer than wanted, and it gets there', () => {
    const members = fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 3 })
    fc.assert(
      fc.property(members, members, fc.array(fc.nat(7), { maxLength: 10 }), (from, to, order) => {
        const target = { voters: to.map((member) => id(member)), learners: [] }
        let membership = of(from.map((member) => id(member)).sort((a, b) => a - b))
        const match = new Map<number, number>()
        for (let round = 0; round < 40; round++) {
          const progress = membership.learners.map((learner) => peer(learner, match.get(learner) ?? 0))
          // Learners catch up one by one, in any order.
          const next = membership.learners[(order[round % Math.max(1, order.length)] ?? 0) % Math.max(1, membership.learners.length)]
          if (next !== undefined) match.set(next, 1_000)
          const self = membership.voters[0] as number
          const step = planGroup(state({ self, membership, progress, target }))
          if (step.type === 'steady') break
          if (step.type !== 'change') continue
          const before = membership
          expect(step.voters.length).toBeGreaterThanOrEqual(Math.min(before.voters.length, to.length))
          for (const voter of step.voters) expect(before.voters.includes(voter) || match.get(voter) === 1_000).toBe(true)
          membership = firstStep(membership, step)
          if (isJoint(membership)) membership = leaveJoint(membership)
        }
        expect([...membership.voters].sort()).toEqual([...target.voters].sort())
        expect(membership.learners).toEqual([])
      }),
      { numRuns: 500 },
    )
  })

  test('of meta five vote, the others learn', () => {
    const placement: Placement = { group: META_GROUP, replicas: [1, 2, 3, 4, 5, 6, 7], lives: [0, 0, 2, 0, 0, 1, 0] }
    expect(targetOf(placement)).toEqual({ voters: [id(1), id(2), id(3, 2), id(4), id(5)], learners: [id(6, 1), id(7)] })
  })
})

describe('the plan of a node', () => {
  const given = (group: number, life = 0): Placement => ({ group, replicas: [1, 9], lives: [0, life] })
  const here = (replica: number, change: Partial<LocalReplica> = {}): LocalReplica => ({
    replica,
    term: 3,
    damaged: false,
    ailing: false,
    inPlace: true,
    ...change,
  })
  const state = (change: Partial<LocalState>): LocalState => ({
    member: 9,
    staying: true,
    placements: [],
    replicas: new Map(),
    begun: () => -1,
    out: new Set(),
    retired: new Set(),
    movesMax: 2,
    ...change,
  })
  const nothing = { begin: [], replace: [], retire: [], remove: [], take: [], ask: [] }

  test('begins what is given and new, two at a time', () => {
    const placements = [given(0), given(5), given(7)]
    expect(planLocal(state({ placements }))).toEqual({
      ...nothing,
      begin: [
        [0, 0],
        [5, 0],
      ],
    })
    const replicas = new Map([[0, here(id(9), { inPlace: false })]])
    expect(planLocal(state({ placements, replicas }))).toEqual({ ...nothing, begin: [[5, 0]], take: [[0, id(9)]] })
    const placed = new Map([0, 5, 7].map((group) => [group, here(id(9))] as const))
    expect(planLocal(state({ placements, replicas: placed }))).toEqual(nothing)
  })

  test('lost or damaged: asks for another life, never begins the same one again', () => {
    expect(planLocal(state({ placements: [given(5)], begun: () => 0 }))).toEqual({ ...nothing, replace: [[5, 0]] })
    const damaged = new Map([[5, here(id(9), { damaged: true, inPlace: false })]])
    expect(planLocal(state({ placements: [given(5)], replicas: damaged, begun: () => 0 }))).toEqual({ ...nothing, replace: [[5, 0]] })
    expect(planLocal(state({ placements: [given(5, 1)], replicas: damaged, begun: () => 0 }))).toEqual({ ...nothing, begin: [[5, 1]] })
    // What is left of the log may speak of an earlier life: the later one was begun all the same, and has promised things.
    expect(planLocal(state({ placements: [given(5, 1)], replicas: damaged, begun: () => 1 }))).toEqual({ ...nothing, replace: [[5, 1]] })
    // The record of its making rotted, so the log does not know its number: it is the one that was begun last.
    const nameless = new Map([[5, here(0, { damaged: true, inPlace: false })]])
    expect(planLocal(state({ placements: [given(5, 1)], replicas: nameless, begun: () => 1 }))).toEqual({ ...nothing, replace: [[5, 1]] })
    expect(planLocal(state({ placements: [given(5, 2)], replicas: nameless, begun: () => 1 }))).toEqual({ ...nothing, begin: [[5, 2]] })
    // An old table: neither.
    expect(planLocal(state({ placements: [given(5)], begun: () => 1 }))).toEqual(nothing)
    expect(planLocal(state({ placements: [given(5)], replicas: new Map([[5, here(id(9, 1))]]) }))).toEqual(nothing)
  })

  test('not given any more: out of the group, let go by meta, removed; in this order', () => {
    const replicas = new Map([[5, here(id(9, 2))]])
    const key = replicaKey(5, id(9, 2))
    expect(planLocal(state({ replicas }))).toEqual({ ...nothing, ask: [[5, id(9, 2)]] })
    expect(planLocal(state({ replicas, retired: new Set([key]) }))).toEqual({ ...nothing, ask: [[5, id(9, 2)]] })
    expect(planLocal(state({ replicas, out: new Set([key]) }))).toEqual({ ...nothing, retire: [[5, 2]] })
    expect(planLocal(state({ replicas, out: new Set([replicaKey(5, id(9, 1))]) }))).toEqual({ ...nothing, ask: [[5, id(9, 2)]] })
    expect(planLocal(state({ replicas, out: new Set([key]), retired: new Set([key]) }))).toEqual({ ...nothing, remove: [5] })
    expect(planLocal(state({ replicas, out: new Set([key]), staying: false }))).toEqual({ ...nothing, remove: [5] })
  })

  test('an earlier life that still stands has to be out before the later one begins', () => {
    const placements = [given(5, 1)]
    const replicas = new Map([[5, here(id(9))]])
    expect(planLocal(state({ placements, replicas, begun: () => 0 }))).toEqual({ ...nothing, ask: [[5, id(9)]] })
    const out = new Set([replicaKey(5, id(9))])
    expect(planLocal(state({ placements, replicas, out, begun: () => 0 }))).toEqual({ ...nothing, remove: [5] })
    expect(planLocal(state({ placements, out, begun: () => 0 }))).toEqual({ ...nothing, begin: [[5, 1]] })
  })
})

describe('the plan of meta’s leader', () => {
  const member = (number: number, state: Member['state'] = 'active', uid = `u${number}`): Member => ({
    member: number,
    id: `n${number}`,
    uid,
    url: '',
    version: '',
    state,
  })
  const formation: Formation = { clusterId: 'c', name: 't', partitions: 4, replicas: 3, founders: [1, 2, 3].map((n) => member(n)) }
  const empty: MetaView = { formation: null, epoch: 0, nextMember: 4, members: [], placements: [] }
  const viewOf = (members: readonly Member[], replicas: readonly number[]): MetaView => ({
    formation,
    epoch: 7,
    nextMember: 9,
    members,
    placements: [0, 1, 2, 3, 4, 5].map((group) => ({ group, replicas, lives: replicas.map(() => 0) })),
  })

  test('founds, then rests', () => {
    expect(planMeta(empty, formation, new Map(), hash)).toMatchObject({ name: 'found' })
    expect(planMeta({ ...empty, epoch: 1, formation }, formation, new Map(), hash)).toBeNull()
  })

  test('forgets one who leaves only when every group’s leader says that it is gone', () => {
    const members = [member(1), member(2), member(3, 'leaving')]
    const [with3, without3] = [viewOf(members, [1, 2, 3]), viewOf(members, [1, 2])]
    expect(planMeta(with3, formation, new Map(), hash)).toMatchObject({ name: 'set_placement', epoch: 7 })
    const placed = planMeta(with3, formation, new Map(), hash)
    if (placed?.name !== 'set_placement') throw new Error('no table')
    expect(placed.rows.every(([, replicas]) => !replicas.includes(3))).toBe(true)
    const view = { ...without3, placements: placed.rows.map(([group, replicas]) => ({ group, replicas, lives: [0, 0] })) }
    const survey = (groups: readonly number[], replicas: readonly number[]) => new Map(groups.map((group) => [group, replicas] as const))
    expect(planMeta(view, formation, survey([0, 1, 2, 3, 4], [id(1), id(2)]), hash)).toBeNull()
    const stillIn = survey([0, 1, 2, 3, 4, 5], [id(1), id(2)]).set(5, [id(1), id(2), id(3, 4)])
    expect(planMeta(view, formation, stillIn, hash)).toBeNull()
    expect(planMeta(view, formation, survey([0, 1, 2, 3, 4, 5], [id(1), id(2)]), hash)).toEqual({ name: 'member_left', member: 3 })
    expect(needsSurvey(view)).toBe(true)
    expect(needsSurvey(viewOf([member(1)], [1]))).toBe(false)
  })

  test('one who joins is active once every group has it, in its present life; one only announced gets nothing', () => {
    const members = [member(1), member(2), member(3, 'joining'), member(4, 'joining', '')]
    const base = viewOf(members, [1, 2, 3])
    const table = planMeta({ ...base, placements: [] }, formation, new Map(), hash)
    if (table?.name !== 'set_placement') throw new Error('no table')
    const view = {
      ...base,
      placements: table.rows.map(([group, replicas]) => ({ group, replicas, lives: replicas.map((one) => (one === 3 ? 1 : 0)) })),
    }
    expect(view.placements.flatMap(({ replicas }) => replicas).includes(4)).toBe(false)
    const survey = (life: number) => new Map(view.placements.map(({ group }) => [group, [id(1), id(2), id(3, life)]] as const))
    expect(planMeta(view, formation, survey(0), hash)).toBeNull()
    expect(planMeta(view, formation, survey(1), hash)).toEqual({ name: 'member_active', member: 3 })
    expect(memberOf(id(3, 1))).toBe(3)
  })
})

describe('handing leadership back', () => {
  const led: LedGroup = { group: 4, ledSince: 0, preferred: id(2), preferredUpSince: 0, progress: [peer(id(2), 50)], last: 50 }

  test('only to one that is up for a while and has everything', () => {
    const restore = new LeaderRestore()
    const at = 100_000
    expect(restore.shouldTransfer({ ...led, preferredUpSince: null }, at)).toBe(false)
    expect(restore.shouldTransfer({ ...led, preferredUpSince: at - 100 }, at)).toBe(false)
    expect(restore.shouldTransfer({ ...led, ledSince: at - 100 }, at)).toBe(false)
    expect(restore.shouldTransfer({ ...led, last: 51 }, at)).toBe(false)
    expect(restore.shouldTransfer({ ...led, progress: [peer(id(2), 50, { learner: true })] }, at)).toBe(false)
    expect(restore.shouldTransfer({ ...led, progress: [] }, at)).toBe(false)
    expect(restore.shouldTransfer(led, at)).toBe(true)
  })

  test('ever more rarely where it does not last', () => {
    const restore = new LeaderRestore()
    const tries: number[] = []
    for (let at = 10_000; at < 400_000; at += 1_000) if (restore.shouldTransfer(led, at)) tries.push(at)
    expect(tries).toEqual([10_000, 20_000, 40_000, 80_000, 160_000, 320_000])
  })
})

test('the failure detector: silence is down, one word is up, never heard from is neither', () => {
  const verdicts = new Verdicts(1_000)
  expect(verdicts.silent('n2', 5_000)).toBe(false)
  expect(verdicts.upSince('n2')).toBeNull()
  expect(verdicts.heard('n2', 5_000)).toBe(true)
  expect(verdicts.heard('n2', 5_500)).toBe(false)
  expect(verdicts.upSince('n2')).toBe(5_000)
  expect(verdicts.silent('n2', 6_499)).toBe(false)
  expect(verdicts.silent('n2', 6_500)).toBe(true)
  expect(verdicts.silent('n2', 9_000)).toBe(false)
  expect(verdicts.upSince('n2')).toBeNull()
  expect(verdicts.heard('n2', 9_500)).toBe(true)
  expect(verdicts.ended('n2')).toBe(true)
  expect(verdicts.upSince('n2')).toBeNull()
  expect([verdicts.ended('n2'), verdicts.ended('n3'), verdicts.silent('n2', 20_000)]).toEqual([false, false, false])
  expect(verdicts.heard('n2', 20_500)).toBe(true)
})
