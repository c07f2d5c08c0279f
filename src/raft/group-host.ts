/**
 * The face of the Raft host: what the cluster floor may do with the groups of this node. One actor (`raft`) drives
 * all of them: one Ready, one WAL append and one frame per peer for whatever a turn brought.
 */
import type { ActorId, Plain } from '../actors/envelope.ts'
import type { GroupId, LogIndex, MemberId, Millis, NodeId, ReplicaId, Term } from '../base/ids.ts'
import type { LatencyCounts } from '../base/latency-histogram.ts'
import type { Membership, ProposeResult } from './core/types.ts'
import type { RaftStatus } from './core/raft-core.ts'
import type { DiskRoom } from './disk-room.ts'
import type { StateMachine } from './machine.ts'

/** Who is where. Kept by the cluster floor, read by the host at every send. */
export interface Directory {
  /** The node of a member, or null while it is unknown. */
  nodeOf(member: MemberId): NodeId | null
  /** The nodes that hold a replica of the group, likeliest leader first: where to forward when none is here. */
  hostsOf(group: GroupId): readonly NodeId[]
  /** Every node of the cluster. */
  readonly nodes: readonly NodeId[]
}

export interface GroupHostOptions {
  /** Path of the key-value store and the log below the storage's root. */
  readonly machineFor: (group: GroupId) => StateMachine
  readonly directory: Directory
  readonly member: MemberId
  readonly tickMs: Millis
  readonly electionTimeoutMs: Millis
  readonly heartbeatIntervalMs: Millis
  readonly segmentBytes: number
  /** Bytes of applied entries a group keeps in memory for slow followers before it compacts. */
  readonly logBytesMax: number
  /** Longest time a changed record waits for the key-value store. */
  readonly checkpointIntervalMs: Millis
  /**
   * With less free space a leader takes only essential commands, and gives its groups to nodes with more. So does one whose
   * group has no majority with more. 0: never.
   */
  readonly diskLowBytes: number
  /** Of all snapshots that leave this node together. 0: no cap. */
  readonly snapshotBytesPerSecond: number
  /** A disk that can no longer be trusted: the process stops with 74. */
  readonly onDiskFatal: (error: Error) => void
  readonly onLog: (level: 'info' | 'warn' | 'error', message: string, fields?: Readonly<Record<string, unknown>>) => void
}

export interface GroupStatus extends RaftStatus {
  readonly group: GroupId
  readonly appliedTime: Millis
  /** Cluster time as the leader has it now; elsewhere that of the last applied entry. */
  readonly time: Millis
  /** False while the replica is loading, or was found damaged and waits to be replaced. */
  readonly serving: boolean
  /** About how many bytes a replica of it would receive. */
  readonly stateBytes: number
  /** Applied index that is durable in the key-value store. */
  readonly checkpointed: LogIndex
}

export interface HostStats {
  readonly elections: number
  /** From proposal to commit, where this node led. */
  readonly commitLatencies: LatencyCounts
  readonly proposals: number
  readonly commandsApplied: number
  /** Of all groups on this node. `evicted`: forgotten before their ten minutes, for want of room. */
  idempotencyKeys(): { readonly count: number; readonly bytes: number; readonly evicted: number }
  readonly walFsyncs: number
  readonly walBytes: number
  readonly walSegments: number
  readonly walQueuedBytes: number
  /** Write and fsync of a batch of the log. */
  readonly fsyncDurations: LatencyCounts
  readonly diskRoom: DiskRoom
  readonly snapshotsSent: number
  readonly snapshotsReceived: number
}

/** A majority said, each after `askedAt`, that it knows of no later term than `term`, which this replica leads. */
export interface Confirmation {
  readonly term: Term
  /** `Clock.now()` of this node, before the first question left. So whoever leads a later term was elected after it. */
  readonly askedAt: Millis
}

export interface GroupHost {
  /** The address of the actor: `<node>/raft`. */
  readonly id: ActorId
  /** Replicas that recovery found. */
  readonly recovered: readonly GroupId[]
  /**
   * Those found damaged, to be replaced by the cluster floor. Damaged at its load, a replica is never served. One whose damage
   * was found while it served is in `groups` as well: its log is whole, so it votes and stores until its group has let it go.
   */
  readonly damaged: readonly { readonly group: GroupId; readonly replica: ReplicaId }[]
  /** The log lost something that was durable: a replica that is neither in `recovered` nor in `damaged` may have been there. */
  readonly logHoles: boolean
  /** Begins a replica. With a membership: a founding one (the same on all founders). Without: it waits for a leader to contact it. */
  createReplica(group: GroupId, replica: ReplicaId, founding: Membership | null): void
  /** Ends a replica and deletes its data. */
  removeReplica(group: GroupId): void
  replicaOf(group: GroupId): ReplicaId | null
  groups(): readonly GroupId[]
  status(group: GroupId): GroupStatus | null
  /** `status(group).time`, for who asks often; 0 where there is no replica. */
  time(group: GroupId): Millis
  proposeMembership(group: GroupId, voters: readonly ReplicaId[], learners: readonly ReplicaId[]): ProposeResult
  transferLeadership(group: GroupId, to: ReplicaId): boolean
  /** The node detector's verdicts: a dead node's groups wake up and elect. */
  nodeDown(node: NodeId): void
  nodeUp(node: NodeId): void
  /** How much room another node's disk has, by its own word: a leader takes nothing that a majority has no room for. */
  nodeRoom(node: NodeId, room: DiskRoom): void
  /** Called when `stats.diskRoom` has changed: the others should know at once. */
  onRoom(listener: () => void): void
  /**
   * Asks a majority whether the replica here leads the group now (it wakes, if it sleeps). All that is asked in one turn costs one round
   * of messages, shared with the queries. `done` is called once, in a later turn of the host: with null where it does not lead, or
   * ceased to before the answer (for as long as neither is known, nothing is said); else once the machine here has applied
   * everything that was committed when it was asked.
   */
  confirm(group: GroupId, done: (confirmation: Confirmation | null) => void): void
  /**
   * Called after each change of leader, term or applied membership of a group on this node: before any answer of the new term
   * leaves or is completed (`StateMachine.attach`), and before `StateMachine.preparing` of its commands.
   */
  onChange(listener: (group: GroupId) => void): void
  /** Called with each event that a group's machine emitted while this node led it. */
  onEvent(listener: (group: GroupId, event: Plain, index: LogIndex, time: Millis) => void): void
  /** The local machine, for reads that need no agreement (status pages, the placement table). */
  machine(group: GroupId): StateMachine | null
  readonly stats: HostStats
  /** Hands leadership over (`onHandedOver`: nothing is led here any more that another could lead), then flushes records and the log. */
  drain(timeoutMs: Millis, onHandedOver?: () => void): Promise<void>
  close(): Promise<void>
}
