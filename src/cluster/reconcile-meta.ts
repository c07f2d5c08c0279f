/**
 * What the leader of `meta` has to propose so that the table follows the members. Pure; one command at a time, each
 * computed from one epoch.
 *
 *   nothing founded ─> found · members changed ─> set_placement · a joining one has all it was given ─> member_active
 *   a leaving one is a member of no group any more ─> member_left
 */
import type { Hash } from '../base/hash.ts'
import { type GroupId, type MemberId, type ReplicaId, memberOf, replicaId } from '../base/ids.ts'
import type { MetaCommand, PlacementRow } from './meta-machine-commands.ts'
import { carries } from './meta-machine.ts'
import { place } from './placement.ts'
import type { Formation, Member, MetaView, Placement } from './types.ts'

/** Of each group, the members that its leader says it has; a group without a leader is missing. */
export type Survey = ReadonlyMap<GroupId, readonly ReplicaId[]>

export function planMeta(view: MetaView, formation: Formation, survey: Survey, hash: Hash): MetaCommand | null {
  if (!view.formation) return { name: 'found', formation, rows: rowsOf(firstTable(formation, hash)) }
  const rows = nextRows(view, view.formation, hash)
  if (rows) return { name: 'set_placement', epoch: view.epoch, rows }
  for (const member of view.members) {
    if (member.state === 'joining' && hasAll(view, member, survey)) return { name: 'member_active', member: member.member }
    if (member.state === 'leaving' && hasNone(view, member, survey)) return { name: 'member_left', member: member.member }
  }
  return null
}

/** Whether the leader has to ask around. */
export function needsSurvey(view: MetaView): boolean {
  return view.members.some(({ state }) => state !== 'active')
}

/** Every founder computes it for itself from the same formation, so all compute the same. */
export function firstTable(formation: Formation, hash: Hash): readonly Placement[] {
  const members = formation.founders.map(({ member }) => member)
  return place(members, { partitions: formation.partitions, replicas: formation.replicas, lifeOf: () => 0 }, hash)
}

/** Null: the table is as it should be. */
function nextRows({ members, placements }: MetaView, { partitions, replicas }: Formation, hash: Hash): readonly PlacementRow[] | null {
  const carriers: MemberId[] = members.filter(carries).map(({ member }) => member)
  if (carriers.length === 0) return null
  const next = place(carriers, { partitions, replicas, lifeOf: () => 0, current: placements }, hash)
  const before = new Map(placements.map(({ group, replicas: list }) => [group, list.join()]))
  return next.some(({ group, replicas: list }) => before.get(group) !== list.join()) ? rowsOf(next) : null
}

export function rowsOf(placements: readonly Placement[]): readonly PlacementRow[] {
  return placements.map(({ group, replicas }) => [group, replicas] as const)
}

function hasAll({ placements }: MetaView, { member, uid }: Member, survey: Survey): boolean {
  if (uid === '') return false
  const own = placements.filter(({ replicas }) => replicas.includes(member))
  return own.every(({ group, replicas, lives }) => {
    const replica = replicaId(member, lives[replicas.indexOf(member)] ?? 0)
    return survey.get(group)?.includes(replica) ?? false
  })
}

function hasNone({ placements }: MetaView, { member }: Member, survey: Survey): boolean {
  return placements.every(({ group, replicas }) => {
    const members = survey.get(group)
    return !replicas.includes(member) && members !== undefined && !members.some((replica) => memberOf(replica) === member)
  })
}
