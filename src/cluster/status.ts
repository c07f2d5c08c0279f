/**
 * What the replicas of one node say of their groups, as rows that travel, and the cluster's view that is put together from
 * the rows of all nodes: of each group the row with the highest term counts, a leader's own before others'.
 */
import type { Plain } from '../actors/envelope.ts'
import { type GroupId, LOCKS_GROUP, META_GROUP, type MemberId, NOBODY, type NodeId, groupName, memberOf } from '../base/ids.ts'
import type { GroupHost } from '../raft/group-host.ts'
import type { ClusterDirectory } from './directory.ts'
import type { GroupView } from './types.ts'

/** group, leading member (0: none known), is this node the leader, term, commit, applied. */
export type StatusRow = readonly [group: GroupId, leader: MemberId, leads: boolean, term: number, commit: number, applied: number]

export function statusRows(host: GroupHost): readonly StatusRow[] {
  const rows: StatusRow[] = []
  for (const group of host.groups()) {
    const status = host.status(group)
    if (!status) continue
    const leader = status.leader === NOBODY ? 0 : memberOf(status.leader)
    rows.push([group, leader, status.role === 'leader', status.term, status.commit, status.applied])
  }
  return rows
}

/** Rows of another node; null where they are not rows. */
export function readRows(payload: Plain): readonly StatusRow[] | null {
  if (!Array.isArray(payload) || !payload.every((row) => Array.isArray(row) && row.length === 6)) return null
  return payload as unknown as readonly StatusRow[]
}

export function kindOf(group: GroupId): GroupView['kind'] {
  if (group === META_GROUP) return 'meta'
  return group === LOCKS_GROUP ? 'locks' : 'partition'
}

export function groupViews(directory: ClusterDirectory, answers: readonly (readonly StatusRow[])[]): readonly GroupView[] {
  const best = new Map<GroupId, StatusRow>()
  for (const rows of answers) {
    for (const row of rows) {
      const known = best.get(row[0])
      if (!known || row[3] > known[3] || (row[3] === known[3] && row[2])) best.set(row[0], row)
    }
  }
  return directory.placements.map(({ group, replicas }) => {
    const [, leader, , term, commit, applied] = best.get(group) ?? [group, 0, false, 0, 0, 0]
    const id = groupName(group)
    return { id, kind: kindOf(group), leader: leaderNode(directory, leader), term, commit, applied, replicas: directory.nodesOf(replicas) }
  })
}

function leaderNode(directory: ClusterDirectory, leader: MemberId): NodeId | null {
  return leader === 0 ? null : directory.nodeOf(leader)
}
