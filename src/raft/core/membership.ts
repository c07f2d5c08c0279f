/**
 * Who belongs to a group, and how one membership becomes another (thesis 4.3):
 *
 *     {1,2,3} ── enter ──> {4,5,6}&&{1,2,3} ── leave ──> {4,5,6}
 *                          two majorities needed
 *
 * Invariants: lists are sorted and without duplicates; a replica is a voter (of either half) or a learner, never
 * both; `learnersNext` are outgoing voters that become learners on leaving, so it is empty outside of a joint one.
 */
import { assert } from '../../base/assert.ts'
import type { ReplicaId } from '../../base/ids.ts'
import type { Membership } from './types.ts'

export interface MembershipTarget {
  readonly voters: readonly ReplicaId[]
  readonly learners: readonly ReplicaId[]
}

/** That of a replica which knows nothing yet: it never campaigns and waits to be contacted. */
export const EMPTY_MEMBERSHIP: Membership = { voters: [], outgoing: [], learners: [], learnersNext: [] }

export function isVoter(membership: Membership, replica: ReplicaId): boolean {
  return membership.voters.includes(replica) || membership.outgoing.includes(replica)
}

export function isMember(membership: Membership, replica: ReplicaId): boolean {
  return isVoter(membership, replica) || membership.learners.includes(replica)
}

export function isJoint(membership: Membership): boolean {
  return membership.outgoing.length > 0
}

/** Everybody who votes, in either half, sorted. */
export function votersOf(membership: Membership): ReplicaId[] {
  return sortedUnion(membership.voters, membership.outgoing)
}

/** Everybody, sorted. */
export function replicasOf(membership: Membership): ReplicaId[] {
  return sortedUnion(votersOf(membership), membership.learners)
}

/** A membership of exactly these, outside of any change. */
export function membershipOf(target: MembershipTarget): Membership {
  const voters = sortedUnion(target.voters, [])
  const learners = sortedUnion(target.learners, [])
  assert(voters.length > 0, 'a membership needs a voter')
  assert(voters.length === target.voters.length && learners.length === target.learners.length, 'a replica named twice')
  assert(!learners.some((id) => voters.includes(id)), 'a replica is voter and learner')
  return { voters, outgoing: [], learners, learnersNext: [] }
}

/**
 * The first step from `current` towards `target`. Where the voters stay the same no quorum changes and it is also the
 * last; else it is the joint configuration, and `leaveJoint` of that is the last.
 */
export function firstStep(current: Membership, target: MembershipTarget): Membership {
  assert(!isJoint(current), 'a membership change is under way')
  const goal = membershipOf(target)
  if (sameList(goal.voters, current.voters)) return goal
  return {
    voters: goal.voters,
    outgoing: current.voters,
    learners: goal.learners.filter((id) => !current.voters.includes(id)),
    learnersNext: goal.learners.filter((id) => current.voters.includes(id)),
  }
}

/** The membership after a joint one. */
export function leaveJoint(joint: Membership): Membership {
  assert(isJoint(joint), 'not in a joint configuration')
  return { voters: joint.voters, outgoing: [], learners: sortedUnion(joint.learners, joint.learnersNext), learnersNext: [] }
}

function sortedUnion(a: readonly ReplicaId[], b: readonly ReplicaId[]): ReplicaId[] {
  return [...new Set([...a, ...b])].sort((x, y) => x - y)
}

function sameList(a: readonly ReplicaId[], b: readonly ReplicaId[]): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i])
}
