/**
 * Who is where: members by number, groups by the placement table, as of the newest epoch this node has heard of. Read at
 * every send, so all of it is plain look-ups.
 */
import { type GroupId, META_GROUP, type MemberId, type NodeId } from '../base/ids.ts'
import type { Directory } from '../raft/group-host.ts'
import type { Member, MetaView, Placement } from './types.ts'

/** Where a group is, and where it was: while it moves, its leader may still be there. */
const HOSTS_MAX = 8

export class ClusterDirectory implements Directory {
  readonly #peers: () => Iterable<NodeId>
  #view: MetaView
  #members = new Map<MemberId, Member>()
  #placements = new Map<GroupId, Placement>()
  #hosts = new Map<GroupId, readonly NodeId[]>()
  readonly #listeners: (() => void)[] = []

  /** `peers`: nodes that were heard from. Any of them may know `meta`, for one who has lost sight of it. */
  constructor(view: MetaView, peers: () => Iterable<NodeId> = () => []) {
    this.#peers = peers
    this.#view = view
    this.#index()
  }

  /** False where it is no news. */
  adopt(view: MetaView): boolean {
    if (view.epoch <= this.#view.epoch) return false
    this.#view = view
    this.#index()
    for (const listener of this.#listeners) listener()
    return true
  }

  /** Called with each newer view, which may be while an entry is applied: nothing is to be asked of a group within it. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  #index(): void {
    const { members, placements } = this.#view
    this.#members = new Map(members.map((member) => [member.member, member]))
    this.#placements = new Map(placements.map((placement) => [placement.group, placement]))
    const known = new Set(members.map(({ id }) => id))
    const before = this.#hosts
    this.#hosts = new Map()
    for (const { group, replicas } of placements) {
      const were = (before.get(group) ?? []).filter((node) => known.has(node))
      this.#hosts.set(group, [...new Set([...this.nodesOf(replicas), ...were])].slice(0, Math.max(HOSTS_MAX, replicas.length)))
    }
  }

  get view(): MetaView {
    return this.#view
  }

  get epoch(): number {
    return this.#view.epoch
  }

  get nextMember(): MemberId {
    return this.#view.nextMember
  }

  get members(): readonly Member[] {
    return this.#view.members
  }

  get nodes(): readonly NodeId[] {
    return this.members.map(({ id }) => id)
  }

  get placements(): readonly Placement[] {
    return this.#view.placements
  }

  memberOf(member: MemberId): Member | null {
    return this.#members.get(member) ?? null
  }

  nodeOf(member: MemberId): NodeId | null {
    return this.#members.get(member)?.id ?? null
  }

  nodesOf(members: readonly MemberId[]): readonly NodeId[] {
    return members.map((member) => this.nodeOf(member)).filter((node) => node !== null)
  }

  hostsOf(group: GroupId): readonly NodeId[] {
    const hosts = this.#hosts.get(group) ?? []
    if (group !== META_GROUP) return hosts
    return [...new Set([...hosts, ...[...this.#peers()].filter((node) => !node.includes(':'))])]
  }

  placementOf(group: GroupId): Placement | null {
    return this.#placements.get(group) ?? null
  }
}
