/**
 * What the leader of a group has to do so that its members are those of the table. Pure.
 *
 *   asks to be let in ─> learner ─> caught up ─> joint change to the voters of the table ─> those given up are out
 *
 * Voters that the table no longer names stay while their successors are not ready, so a group never has fewer voters than
 * the table wants it to have; and one successor that never comes does not keep the others out. Nor is a group ever left to
 * voters of whom no majority is up: it waits, with those it has, until they are back or are given up as well. But a voter that
 * the table wants in a later life, and that lives (it asks), is in its successor's way: it goes first, alone, where all others
 * are well.
 */
import { type LogIndex, type MemberId, type ReplicaId, lifeOf, memberOf, replicaId } from '../base/ids.ts'
import type { PeerProgress } from '../raft/core/raft-core.ts'
import type { Membership } from '../raft/core/types.ts'
import { votersOf } from './placement.ts'
import type { Placement } from './types.ts'

/** A learner with this few entries to go is caught up: the rest comes while the joint change is agreed on. */
const LAG_MAX = 256

export interface GroupState {
  readonly self: ReplicaId
  readonly membership: Membership
  readonly progress: readonly PeerProgress[]
  readonly last: LogIndex
  readonly target: GroupTarget
  /** Asked of late: to be let in, or (a member) whether it is out. */
  readonly asking: (replica: ReplicaId) => boolean
  readonly alive: (replica: ReplicaId) => boolean
  /** Whether this node may begin to bring up another replica now. */
  readonly mayAdd: boolean
}

export interface GroupTarget {
  readonly voters: readonly ReplicaId[]
  readonly learners: readonly ReplicaId[]
}

/** The replicas that the table wants in a group. */
export function targetOf(placement: Placement): GroupTarget {
  const voters = votersOf(placement)
  const idOf = (member: MemberId): ReplicaId => replicaId(member, placement.lives[placement.replicas.indexOf(member)] ?? 0)
  return { voters: voters.map(idOf), learners: placement.replicas.filter((member) => !voters.includes(member)).map(idOf) }
}

export type GroupStep =
  | { readonly type: 'steady' }
  /** `moving`: a live replica is on its way in. `missing`: of those that it waits for, who have not asked to be let in. */
  | { readonly type: 'wait'; readonly moving: boolean; readonly missing: readonly ReplicaId[] }
  | { readonly type: 'change'; readonly voters: readonly ReplicaId[]; readonly learners: readonly ReplicaId[]; readonly moving: boolean }

export function planGroup(state: GroupState): GroupStep {
  const { membership, target } = state
  if (membership.outgoing.length > 0) return { type: 'wait', moving: true, missing: [] }
  const next = nextVoters(state)
  const voters = next.filter(state.alive).length > next.length / 2 ? next : membership.voters
  const present = (replica: ReplicaId) => membership.voters.includes(replica) || membership.learners.includes(replica)
  const wanted = [...target.voters, ...target.learners]
  const learners = wanted.filter((replica) => !voters.includes(replica) && (present(replica) || (state.mayAdd && state.asking(replica))))
  const moving = learners.some((replica) => target.voters.includes(replica) && state.alive(replica))
  if (!sameSet(voters, membership.voters) || !sameSet(learners, membership.learners)) return { type: 'change', voters, learners, moving }
  const missing = wanted.filter((replica) => !present(replica) && !state.asking(replica))
  return wanted.every(present) && sameSet(voters, target.voters) ? { type: 'steady' } : { type: 'wait', moving, missing }
}

function nextVoters({ self, membership, progress, last, target, asking, alive }: GroupState): readonly ReplicaId[] {
  const ready = (replica: ReplicaId): boolean => {
    const peer = progress.find((one) => one.replica === replica)
    return peer !== undefined && peer.state === 'replicate' && peer.match + LAG_MAX >= last && alive(replica)
  }
  const chosen = target.voters.filter(
    (replica) => membership.voters.includes(replica) || (membership.learners.includes(replica) && ready(replica)),
  )
  const missing = target.voters.length - chosen.length
  const succeeded = (replica: ReplicaId): boolean => chosen.some((one) => memberOf(one) === memberOf(replica))
  const worth = (replica: ReplicaId): number => (replica === self ? 3 : alive(replica) ? 2 : 1)
  // Two lives of one member would be two votes that are lost with one disk.
  const stay = membership.voters
    .filter((replica) => !chosen.includes(replica) && (replica === self || !succeeded(replica)))
    .sort((a, b) => worth(b) - worth(a) || a - b)
  const voters = [...chosen, ...stay.slice(0, missing)]
  const inItsOwnWay = voters.find((replica) => {
    const heir = target.voters.find((one) => memberOf(one) === memberOf(replica) && lifeOf(one) > lifeOf(replica))
    return heir !== undefined && !membership.learners.includes(heir) && replica !== self && asking(replica)
  })
  const others = voters.filter((replica) => replica !== inItsOwnWay)
  // Of two, the other one alone has a state that is whole: nothing is gained by waiting.
  const enough = others.length * 2 > target.voters.length || (target.voters.length === 2 && others.length === 1)
  return enough && others.every((replica) => replica === self || ready(replica)) ? others : voters
}

function sameSet(a: readonly ReplicaId[], b: readonly ReplicaId[]): boolean {
  return a.length === b.length && a.every((replica) => b.includes(replica))
}
