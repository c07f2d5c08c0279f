import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ReplicaId } from '../../base/ids.ts'
import { decodeMembership, encodeMembership } from './config-change.ts'
import { EMPTY_MEMBERSHIP, firstStep, isJoint, leaveJoint, membershipOf, replicasOf } from './membership.ts'
import type { Membership } from './types.ts'

type Change = { readonly kind: 'voter' | 'learner' | 'remove'; readonly id: ReplicaId }

const change = fc.record({
  kind: fc.constantFrom('voter', 'learner', 'remove'),
  id: fc.integer({ min: 1, max: 9 }),
}) as fc.Arbitrary<Change>

/** The simple way: one replica after the other. A change that would leave no voter is passed over. */
function applySimply(start: Membership, changes: readonly Change[]): Membership {
  let voters = new Set(start.voters)
  const learners = new Set(start.learners)
  for (const { kind, id } of changes) {
    const next = new Set(voters)
    if (kind === 'voter') next.add(id)
    else next.delete(id)
    if (next.size === 0) continue
    voters = next
    if (kind === 'learner') learners.add(id)
    else learners.delete(id)
  }
  const sorted = (set: ReadonlySet<ReplicaId>) => [...set].sort((a, b) => a - b)
  return { voters: sorted(voters), outgoing: [], learners: sorted(learners), learnersNext: [] }
}

test('a joint change ends where one-by-one changes end', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), fc.array(change, { maxLength: 12 }), (before, changes) => {
      const start = applySimply(membershipOf({ voters: [1], learners: [] }), before)
      const goal = applySimply(start, changes)
      const step = firstStep(start, goal)
      expect(isJoint(step)).toBe(start.voters.join() !== goal.voters.join())
      expect(isJoint(step) ? leaveJoint(step) : step).toEqual(goal)
    }),
    { numRuns: 1000 },
  )
})

test('in a joint configuration nobody is voter and learner, and nobody vanishes early', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), fc.array(change, { maxLength: 12 }), (before, changes) => {
      const start = applySimply(membershipOf({ voters: [1], learners: [] }), before)
      const step = firstStep(start, applySimply(start, changes))
      const voting = new Set([...step.voters, ...step.outgoing])
      expect(step.learners.filter((id) => voting.has(id))).toEqual([])
      expect(step.learnersNext.filter((id) => !step.outgoing.includes(id))).toEqual([])
      expect(replicasOf(step)).toEqual(expect.arrayContaining([...start.voters]))
    }),
  )
})

test('a demoted voter becomes a learner only when the joint configuration is left', () => {
  const step = firstStep(membershipOf({ voters: [1, 2, 3], learners: [4] }), { voters: [1, 4], learners: [3, 5] })
  expect(step).toEqual({ voters: [1, 4], outgoing: [1, 2, 3], learners: [5], learnersNext: [3] })
  expect(leaveJoint(step)).toEqual({ voters: [1, 4], outgoing: [], learners: [3, 5], learnersNext: [] })
})

test.each([
  ['no voter', { voters: [], learners: [1] }],
  ['a replica twice', { voters: [1, 1], learners: [] }],
  ['voter and learner', { voters: [1, 2], learners: [2] }],
])('a target with %s is a bug', (_, target) => {
  expect(() => firstStep(membershipOf({ voters: [1], learners: [] }), target)).toThrow()
})

test('a change inside of a change is a bug', () => {
  const step = firstStep(membershipOf({ voters: [1], learners: [] }), { voters: [2], learners: [] })
  expect(() => firstStep(step, { voters: [3], learners: [] })).toThrow('under way')
})

const list = fc.uniqueArray(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), { maxLength: 8 }).map((ids) => ids.sort((a, b) => a - b))
const anyMembership = fc.record({ voters: list, outgoing: list, learners: list, learnersNext: list })

test('the bytes of a configuration entry give it back', () => {
  fc.assert(
    fc.property(anyMembership, (membership) => {
      expect(decodeMembership(encodeMembership(membership))).toEqual(membership)
    }),
  )
  expect(decodeMembership(encodeMembership(EMPTY_MEMBERSHIP))).toEqual(EMPTY_MEMBERSHIP)
})

test('damaged bytes are refused, never misread as something endless', () => {
  fc.assert(
    fc.property(anyMembership, fc.nat(), (membership, cut) => {
      const data = encodeMembership(membership)
      expect(() => decodeMembership(data.subarray(0, cut % data.length))).toThrow()
      expect(() => decodeMembership(Uint8Array.from([...data, 0]))).toThrow('trailing')
    }),
  )
  expect(() => decodeMembership(Uint8Array.of(9))).toThrow('version')
  expect(() => decodeMembership(Uint8Array.from([1, ...Array.from({ length: 12 }, () => 255)]))).toThrow()
})
