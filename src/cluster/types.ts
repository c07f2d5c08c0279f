/**
 * The words of the cluster floor: members, the placement table, what `meta` agrees on. The only file of
 * `cluster/` that the API and the CLI may see.
 */
import type { GroupId, Incarnation, MemberId, NodeId } from '../base/ids.ts'

export type MemberState = 'up' | 'down' | 'joining' | 'leaving'

/** A node as the cluster knows it. A node that lost its disk comes back as another member. */
export interface Member {
  readonly member: MemberId
  readonly id: NodeId
  /** Random, made with the data directory: tells an emptied or foreign disk from the right one. '' for one announced, not yet come. */
  readonly uid: string
  /** Public HTTP address. */
  readonly url: string
  readonly version: string
  /** `joining` until it replicates all the table gives it, `leaving` until nothing is left on it. */
  readonly state: 'active' | 'joining' | 'leaving'
}

/** Where one group should be. `replicas[0]` is the preferred leader. */
export interface Placement {
  readonly group: GroupId
  readonly replicas: readonly MemberId[]
  /** Per replica: its life (base/ids.ts); rises when a damaged replica is replaced. */
  readonly lives: readonly number[]
}

/** The committed table. No node ever recomputes it for itself. */
export interface PlacementTable {
  readonly epoch: number
  readonly placements: readonly Placement[]
}

/** All that `meta` agrees on, as every node reads it. */
export interface MetaView {
  /** Null until the founders have written themselves into the log. */
  readonly formation: Formation | null
  /** Rises with every change of members or placements. */
  readonly epoch: number
  /** The number that the next new member gets: higher than any that was ever given. */
  readonly nextMember: MemberId
  readonly members: readonly Member[]
  readonly placements: readonly Placement[]
}

/** Made once, by the founding members together; stored on each of them before any group starts. */
export interface Formation {
  readonly clusterId: string
  /** What secrets that every node has to know are made of; never shown and never logged. Clusters of before it have none. */
  readonly secret?: string
  readonly name: string
  readonly partitions: number
  readonly replicas: number
  readonly founders: readonly Member[]
}

/** `node.json` of a data directory. */
export interface Identity {
  readonly node: NodeId
  readonly uid: string
  readonly cluster: string
  /** This boot's number: higher than that of any boot on this disk before. */
  readonly incarnation: Incarnation
  readonly member: MemberId | null
  readonly formation: Formation | null
  /** All founding replicas of this node exist on its disk: one that is missing from now on was lost, not never made. */
  readonly founded: boolean
}

export interface ReplicaView {
  readonly node: NodeId
  readonly role: 'voter' | 'learner'
}
export interface GroupView {
  readonly id: string
  readonly kind: 'meta' | 'locks' | 'partition'
  readonly leader: NodeId | null
  readonly term: number
  readonly commit: number
  readonly applied: number
  readonly replicas: readonly NodeId[]
}
export interface NodeView {
  readonly id: NodeId
  readonly state: MemberState
  readonly url: string
  readonly version: string
}
/** `GET /cluster/status`. */
export interface ClusterStatus {
  readonly cluster: string
  readonly node: NodeId
  readonly epoch: number
  readonly leader: NodeId | null
  readonly quorum: boolean
  readonly nodes: readonly NodeView[]
  readonly groups: readonly GroupView[]
}
/** `GET /ring`. */
export interface RingView {
  readonly epoch: number
  readonly partitions: number
  readonly virtualNodes: number
  readonly members: readonly { readonly id: NodeId; readonly replicas: number; readonly leaders: number }[]
  readonly placements: readonly { readonly group: string; readonly replicas: readonly NodeId[] }[]
}
export interface RingMove {
  readonly group: string
  readonly from: readonly NodeId[]
  readonly to: readonly NodeId[]
  /** About how many would be copied: the state of the group, to each node that is new to it. */
  readonly bytes: number
}
export interface RingPlan {
  readonly epoch: number
  readonly moves: readonly RingMove[]
  /** Of all moves. */
  readonly bytes: number
}

/** What the API sees of the cluster. */
export interface Cluster {
  status(): Promise<ClusterStatus>
  ring(): RingView
  explain(key: string): {
    readonly partition: number
    readonly replicas: readonly NodeId[]
    readonly leader: NodeId | null
    readonly epoch: number
  }
  /** Announces a member, which may then start with `--join`. Rejects with CONFIG_CONFLICT where the id is taken. */
  addMember(member: { readonly id: NodeId; readonly url: string }): Promise<{ readonly member: MemberId }>
  /** Moves everything off a member, dead or alive, and then forgets it. NOT_FOUND; CONFIG_CONFLICT for the last one. */
  removeMember(id: NodeId): Promise<{ readonly member: MemberId }>
  plan(change: { readonly add: readonly NodeId[]; readonly remove: readonly NodeId[] }): Promise<RingPlan>
  /** True once this node can serve: it has the table, and the groups it carries have leaders. */
  ready(): { readonly ready: boolean; readonly reason: string }
}
