/**
 * What the replicas of one node say of their groups, as rows that travel, and the cluster's view that is put together from
 * the rows of all nodes: of each group the row with the highest term counts, a leader's own before others'.
 */
import type { Plain } from '../actors/envelope.ts'
import {
  type GroupId,
  LOCKS_GROUP,
  META_GROUP,
  type MemberId,
  NOBODY,
  type NodeId,
  type ReplicaId,
  groupName,
  lifeOf,
  memberOf,
} from '../base/ids.ts'
import type { GroupHost } from '../raft/group-host.ts'
import type { ClusterDirectory } from './directory.ts'
import { isCount } from './meta-machine-commands.ts'
import type { GroupView } from './types.ts'

/**
 * group, leading member (0: none known), is this node the leader, term, commit, applied, all its members and those that vote
 * (of a leader; else empty), about how many bytes its state is.
 */
export type StatusRow = readonly [
  group: GroupId,
  leader: MemberId,
  leads: boolean,
  term: number,
  commit: number,
  applied: number,
  members: readonly ReplicaId[],
  voters: readonly ReplicaId[],
  stateBytes: number,
]

export function statusRows(host: GroupHost): readonly StatusRow[] {
  const rows: StatusRow[] = []
  for (const group of host.groups()) {
    const status = host.status(group)
    if (!status) continue
    const leader = status.leader === NOBODY ? 0 : memberOf(status.leader)
    const leads = status.role === 'leader'
    const { voters, outgoing, learners, learnersNext } = status.membership
    const members = leads ? [...new Set([...voters, ...outgoing, ...learners, ...learnersNext])] : []
    rows.push([group, leader, leads, status.term, status.commit, status.applied, members, leads ? voters : [], status.stateBytes])
  }
  return rows
}

/** What a node says when it is asked, and the epoch of the table that it knew as it said so. */
export interface StatusAnswer {
  readonly epoch: number
  readonly rows: readonly StatusRow[]
}

export function encodeAnswer({ epoch, rows }: StatusAnswer): Plain {
  return [epoch, rows as unknown as Plain]
}

/** The answer of another node; null where it is none. */
export function readAnswer(payload: Plain): StatusAnswer | null {
  if (!Array.isArray(payload) || payload.length !== 2) return null
  const [epoch, rows] = payload as readonly Plain[]
  const areCounts = (list: Plain | undefined): boolean => Array.isArray(list) && list.every(isCount)
  const isRow = (row: Plain): boolean => {
    if (!Array.isArray(row) || row.length !== 9 || typeof row[2] !== 'boolean' || typeof row[8] !== 'number') return false
    return [0, 1, 3, 4, 5].every((at) => isCount(row[at])) && areCounts(row[6]) && areCounts(row[7])
  }
  if (typeof epoch !== 'number' || !Array.isArray(rows) || !rows.every(isRow)) return null
  return { epoch, rows: rows as unknown as readonly StatusRow[] }
}

/** Of each group the row that counts. */
function bestRows(answers: Iterable<readonly StatusRow[]>): ReadonlyMap<GroupId, StatusRow> {
  const best = new Map<GroupId, StatusRow>()
  for (const rows of answers) {
    for (const row of rows) {
      const known = best.get(row[0])
      if (!known || row[3] > known[3] || (row[3] === known[3] && row[2])) best.set(row[0], row)
    }
  }
  return best
}

/**
 * Gathers what all nodes last said, for the leader of `meta`. Only what was said with the present table at hand counts: a
 * leader with an older one may since have let in a member that the present one has taken out.
 */
export class Surveyor {
  readonly #answers = new Map<NodeId, StatusAnswer>()

  take(node: NodeId, answer: StatusAnswer | null): void {
    if (answer) this.#answers.set(node, answer)
  }

  /** The members of each group as its leader has them, as of `epoch`. */
  survey(epoch: number): ReadonlyMap<GroupId, readonly ReplicaId[]> {
    const present = [...this.#answers.values()].filter((answer) => answer.epoch >= epoch)
    const led = [...bestRows(present.map(({ rows }) => rows))].filter(([, row]) => row[2])
    return new Map(led.map(([group, row]) => [group, row[6]]))
  }
}

/** About how many bytes the state of each group is, as the one that knows it best says. */
export function stateBytes(answers: Iterable<readonly StatusRow[]>): ReadonlyMap<GroupId, number> {
  return new Map([...bestRows(answers)].map(([group, row]) => [group, row[8]]))
}

export function kindOf(group: GroupId): GroupView['kind'] {
  if (group === META_GROUP) return 'meta'
  return group === LOCKS_GROUP ? 'locks' : 'partition'
}

export function groupViews(directory: ClusterDirectory, answers: readonly (readonly StatusRow[])[]): readonly GroupView[] {
  const best = bestRows(answers)
  return directory.placements.map(({ group, replicas: placed, lives }) => {
    const [, leader, , term, commit, applied, , voters] = best.get(group) ?? [group, 0, false, 0, 0, 0, [], [], 0]
    const isPast = (voter: ReplicaId): boolean => lifeOf(voter) < (lives[placed.indexOf(memberOf(voter))] ?? 0)
    // Those that count now (one that is damaged, or is still copying, does not), in the order of the table; the table itself where nobody leads.
    const holding = [...new Set(voters.filter((voter) => !isPast(voter)).map(memberOf))]
    const order = (member: MemberId): number => (placed.includes(member) ? placed.indexOf(member) : placed.length)
    const members = holding.length > 0 ? holding.sort((a, b) => order(a) - order(b)) : placed
    const nodes = [...new Set(directory.nodesOf(members))]
    return { id: groupName(group), kind: kindOf(group), leader: leaderNode(directory, leader), term, commit, applied, replicas: nodes }
  })
}

function leaderNode(directory: ClusterDirectory, leader: MemberId): NodeId | null {
  return leader === 0 ? null : directory.nodeOf(leader)
}
