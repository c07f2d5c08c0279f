/** Who is where: members by number, groups by the placement table. Read at every send, so both are plain look-ups. */
import type { GroupId, MemberId, NodeId } from '../base/ids.ts'
import type { Directory } from '../raft/group-host.ts'
import type { Member, Placement, PlacementTable } from './types.ts'

export class ClusterDirectory implements Directory {
  readonly #members = new Map<MemberId, Member>()
  readonly #placements = new Map<GroupId, Placement>()
  #hosts = new Map<GroupId, readonly NodeId[]>()
  #epoch = 0

  constructor(members: readonly Member[], table: PlacementTable) {
    for (const member of members) this.#members.set(member.member, member)
    for (const placement of table.placements) this.#placements.set(placement.group, placement)
    this.#epoch = table.epoch
    for (const [group, { replicas }] of this.#placements) this.#hosts.set(group, this.nodesOf(replicas))
  }

  get epoch(): number {
    return this.#epoch
  }

  get members(): readonly Member[] {
    return [...this.#members.values()]
  }

  get placements(): readonly Placement[] {
    return [...this.#placements.values()]
  }

  nodeOf(member: MemberId): NodeId | null {
    return this.#members.get(member)?.id ?? null
  }

  nodesOf(members: readonly MemberId[]): readonly NodeId[] {
    return members.map((member) => this.nodeOf(member)).filter((node) => node !== null)
  }

  hostsOf(group: GroupId): readonly NodeId[] {
    return this.#hosts.get(group) ?? []
  }

  placementOf(group: GroupId): Placement | null {
    return this.#placements.get(group) ?? null
  }
}
