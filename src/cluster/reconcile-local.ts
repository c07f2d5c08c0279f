/**
 * What this node has to do so that it holds what the table gives it, and nothing else. Pure: from what is, what to do next.
 *
 *   given, not here, never begun   ─> begin (it waits for the group's leader) ─> take: "let me in" ─> in place
 *   given, damaged or lost         ─> replace: meta raises the life ─> begin
 *   given, ailing                  ─> replace: meta raises the life ─> as one that is here, given with a later life
 *   here, not given                ─> ask the leader "am I out?" ─> out ─> retire: meta will not give this life again ─> remove
 *                                     (a member that is leaving need not: nothing is given to it again)
 *   here, given with a later life  ─> ask ─> out ─> remove ─> begin
 *
 * A replica is removed only when its group's leader has said that it is no member: until then its vote and its copy count.
 */
import { type GroupId, type MemberId, type ReplicaId, type Term, lifeOf, replicaId } from '../base/ids.ts'
import type { LifeRow } from './meta-machine-commands.ts'
import type { Placement } from './types.ts'

export interface LocalReplica {
  readonly replica: ReplicaId
  readonly term: Term
  /** Found unfit to be served; nothing of it will be used again. */
  readonly damaged: boolean
  /** Damaged too, but its log is whole: it votes and stores until the leader has said that it is out. */
  readonly ailing: boolean
  /** It has its state and its role in the group's applied membership. */
  readonly inPlace: boolean
}

export interface LocalState {
  readonly member: MemberId
  /** Whether a later table may give this member anything: not once it is leaving or gone. */
  readonly staying: boolean
  readonly placements: readonly Placement[]
  readonly replicas: ReadonlyMap<GroupId, LocalReplica>
  /** The highest life begun on this disk; -1: none. */
  readonly begun: (group: GroupId) => number
  /** Replicas of which a leader said that they are out. */
  readonly out: ReadonlySet<ReplicaKey>
  /** Replicas that meta has let go. */
  readonly retired: ReadonlySet<ReplicaKey>
  /** Replicas on their way into their groups at a time. */
  readonly movesMax: number
}

export interface LocalPlan {
  readonly begin: LifeRow[]
  readonly replace: LifeRow[]
  readonly retire: LifeRow[]
  readonly remove: GroupId[]
  /** Ask to be let in. */
  readonly take: (readonly [group: GroupId, replica: ReplicaId])[]
  /** Ask whether it is out. */
  readonly ask: (readonly [group: GroupId, replica: ReplicaId])[]
}

export type ReplicaKey = `${number}/${number}`
export function replicaKey(group: GroupId, replica: ReplicaId): ReplicaKey {
  return `${group}/${replica}`
}

export function planLocal(state: LocalState): LocalPlan {
  const plan: LocalPlan = { begin: [], replace: [], retire: [], remove: [], take: [], ask: [] }
  const given = new Map<GroupId, number>()
  for (const { group, replicas, lives } of state.placements) {
    const at = replicas.indexOf(state.member)
    if (at >= 0) given.set(group, lives[at] ?? 0)
  }
  const wanted: LifeRow[] = []
  for (const [group, life] of given) planGiven(state, plan, wanted, group, life)
  for (const [group, local] of state.replicas) if (!given.has(group)) planLeft(state, plan, group, local)
  plan.begin.push(...wanted.slice(0, Math.max(0, state.movesMax - plan.take.length)))
  return plan
}

function planGiven(state: LocalState, plan: LocalPlan, wanted: LifeRow[], group: GroupId, life: number): void {
  const local = state.replicas.get(group)
  // A damaged log may have lost that a later life was begun, so what is found of an earlier one tells nothing.
  if (!local || (local.damaged && lifeOf(local.replica) < life)) {
    const begun = state.begun(group)
    if (begun < life) wanted.push([group, life])
    else if (begun === life) plan.replace.push([group, life])
    return
  }
  const own = lifeOf(local.replica)
  // A table older than this replica: the newer one is on its way.
  if (own > life) return
  if (own < life) {
    if (state.out.has(replicaKey(group, local.replica))) plan.remove.push(group)
    else plan.ask.push([group, local.replica])
  } else if (local.damaged || local.ailing) plan.replace.push([group, life])
  else if (!local.inPlace) plan.take.push([group, replicaId(state.member, life)])
}

function planLeft({ staying, out, retired }: LocalState, plan: LocalPlan, group: GroupId, { replica }: LocalReplica): void {
  const key = replicaKey(group, replica)
  if (!out.has(key)) plan.ask.push([group, replica])
  else if (!staying || retired.has(key)) plan.remove.push(group)
  else plan.retire.push([group, lifeOf(replica)])
}
