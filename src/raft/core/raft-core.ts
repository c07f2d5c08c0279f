/**
 * The face of the Raft core: what a host may do with one replica of one group. The core is a pure state
 * machine: no clock (time is `tick`), no disk (durability is told by `appended`), no promise, no throw for
 * an expected outcome. Implemented by `raft.ts` and the role files beside it.
 */
import type { LogIndex, ReplicaId, Term } from '../../base/ids.ts'
import type { AppendTicket, Entry, HardState, Membership, PeerMessage, ProposeResult, Ready, Role, SnapshotMeta } from './types.ts'

export interface RaftOptions {
  readonly self: ReplicaId
  /** Followers campaign after a random number of ticks in [electionTicks, 2 * electionTicks). */
  readonly electionTicks: number
  readonly heartbeatTicks: number
  /** Bytes of entries in one append_entries. */
  readonly appendBytesMax: number
  /** Bytes and messages in flight to one follower. */
  readonly inflightBytesMax: number
  readonly inflightMessagesMax: number
  /** Bytes of entries proposed but not committed; beyond it `propose` refuses. */
  readonly uncommittedBytesMax: number
  /** Bytes of committed entries handed out and not yet reported applied. */
  readonly applyBytesMax: number
  /** Ticks without work after which an idle group falls asleep; 0: never. */
  readonly quiesceTicks: number
  /** Serve reads from the leader's lease without a round (needs bounded clock drift). Off by default. */
  readonly leaseReads: boolean
  /** Uniform integer in [0, bound): the only chance in the core, for election timeouts. */
  readonly random: (bound: number) => number
}

/** What recovery hands to a new core. */
export interface RaftState {
  readonly hardState: HardState
  /** The log begins after this point; index 0 and an empty membership for a replica that knows nothing yet. */
  readonly snapshot: SnapshotMeta
  /** Contiguous, all durable. */
  readonly entries: readonly Entry[]
  /** <= commit; everything up to it is in the state machine already. */
  readonly applied: LogIndex
}

export interface PeerProgress {
  readonly replica: ReplicaId
  readonly match: LogIndex
  readonly next: LogIndex
  readonly state: 'probe' | 'replicate' | 'snapshot'
  readonly active: boolean
  readonly learner: boolean
}

export interface RaftStatus {
  readonly role: Role
  readonly term: Term
  readonly vote: ReplicaId
  readonly leader: ReplicaId
  readonly commit: LogIndex
  readonly applied: LogIndex
  readonly durable: LogIndex
  readonly first: LogIndex
  readonly last: LogIndex
  readonly membership: Membership
  readonly quiesced: boolean
  /** Set while leadership is being handed over. */
  readonly transferee: ReplicaId
  /** The leader only: one per peer, itself included; empty elsewhere. */
  readonly progress: readonly PeerProgress[]
}

export interface RaftCore {
  readonly self: ReplicaId
  readonly role: Role
  readonly term: Term
  readonly leader: ReplicaId
  readonly commit: LogIndex
  /** True while the group sleeps: the host need not tick it. */
  readonly quiesced: boolean
  /**
   * Not 0: the leader has this replica's word for the entries up to here, and they are not in its log, so its disk lost what it
   * had called durable. It may have forgotten votes as well: from now on it says nothing, and the host must give it up.
   */
  readonly forgot: LogIndex
  tick(): void
  step(message: PeerMessage): void
  propose(data: Uint8Array): ProposeResult
  /** Changes the voters (and learners) to exactly these: joint consensus, left automatically. Learners may be added alone. */
  proposeMembership(target: { readonly voters: readonly ReplicaId[]; readonly learners: readonly ReplicaId[] }): ProposeResult
  /** Asks for a linearizable read point; comes back in Ready.reads. Followers forward to the leader. False: no leader known. */
  readIndex(readId: number): boolean
  /** Hands leadership to `target` once it has caught up; given up after an election timeout. */
  transferLeadership(target: ReplicaId): boolean
  /** Campaign now (tests, a node failure detector that knows the leader is gone). Obeys pre-vote. */
  campaign(): void
  /**
   * Start ticking again: the node of the leader is down, or its silence is doubted. A sleeping follower woken so gives its vote
   * to whoever asks first. Messages need no `wake`: `step` wakes by itself, and then gives the leader an election timeout.
   */
  wake(): void
  unreachable(peer: ReplicaId): void
  /** The host's report on an install_snapshot it was told to send. Every one must end in a report: nothing else is sent until then. */
  snapshotSent(peer: ReplicaId, ok: boolean): void
  /** A snapshot from `message.from` was received and staged by the host: take it, or (false) it is stale: throw it away. */
  restore(message: InstallRequest): boolean
  hasReady(): boolean
  /** The work since the last call; the core assumes the host does it all, in order. */
  ready(): Ready
  /** The write of that ticket is durable (call before stepping its `thenSend`). */
  appended(ticket: AppendTicket): void
  /** The entries up to `index` are in the state machine. */
  applied(index: LogIndex): void
  /** The state at `index` is durable in the key-value store: entries up to it may be dropped. */
  compact(index: LogIndex): void
  /** The snapshot this host could stream now (set by compact/restore/host): asked for when a follower needs one. */
  setSnapshotSource(source: () => SnapshotMeta | null): void
  /** The membership in force at `index` is needed for snapshots: the one last applied. */
  readonly appliedMembership: Membership
  /** The entries after `index` that were handed out to be written, durable or not. Not what was compacted. */
  handedAfter(index: LogIndex): readonly Entry[]
  /** The term of the entry at `index`, or null where the log does not reach. */
  termAt(index: LogIndex): Term | null
  status(): RaftStatus
}

export interface InstallRequest {
  readonly from: ReplicaId
  readonly term: Term
  readonly snapshot: SnapshotMeta
}
