/**
 * What the gateway knows of the node behind it. The gateway may run on a thread (or in a process) of its own, so
 * everything here is either a facade over messages or a promise. `node.ts` builds it.
 */
import type { MemberId, NodeId } from '../base/ids.ts'
import type { Clock } from '../io/clock.ts'
import type { Random } from '../io/random.ts'
import type { Caches, Invalidations, Lendings } from '../cache/types.ts'
import type { ClusterStatus, RingPlan, RingView } from '../cluster/types.ts'
import type { Locks } from '../lock/types.ts'
import type { LostLeases, Queues } from '../queue/types.ts'
import type { Transactions } from '../transaction/types.ts'

export interface Backend {
  readonly node: NodeId
  readonly version: string
  /** Of the cluster, the same on every node; it leaves no gateway. */
  readonly secret: string
  readonly clock: Clock
  readonly random: Random
  readonly locks: Locks
  readonly queues: Queues
  readonly caches: Caches
  readonly invalidations: Invalidations
  readonly lendings: Lendings
  readonly transactions: Transactions
  readonly lostLeases: LostLeases
  readonly cluster: BackendCluster
  /** `ready` false carries the reason: what this node still waits for. */
  ready(): Promise<{ readonly ready: boolean; readonly reason: string }>
  /** The Prometheus text of the node behind the gateway (the gateway appends its own). */
  metrics(): Promise<string>
}

export interface BackendCluster {
  status(): Promise<ClusterStatus>
  ring(): Promise<RingView>
  explain(
    key: string,
  ): Promise<{ readonly partition: number; readonly replicas: readonly NodeId[]; readonly leader: NodeId | null; readonly epoch: number }>
  addMember(member: { readonly id: NodeId; readonly url: string }): Promise<{ readonly member: MemberId }>
  removeMember(id: NodeId): Promise<{ readonly member: MemberId }>
  plan(change: { readonly add: readonly NodeId[]; readonly remove: readonly NodeId[] }): Promise<RingPlan>
}
