/**
 * The nouns of Raft: entries, hard state, configurations, peer messages and the work (`Ready`) that the
 * core hands to its host. Plain data only. The shape follows etcd-io/raft with asynchronous storage; the
 * names of the four classic messages are those of the requirements.
 */
import type { LogIndex, ReplicaId, Term } from '../../base/ids.ts'

export const ENTRY_COMMANDS = 0
export const ENTRY_CONFIG = 1
/** The empty entry a leader begins its term with. */
export const ENTRY_NOOP = 2
export type EntryType = typeof ENTRY_COMMANDS | typeof ENTRY_CONFIG | typeof ENTRY_NOOP

export interface Entry {
  readonly index: LogIndex
  readonly term: Term
  readonly type: EntryType
  /** Opaque to the core, but for ENTRY_CONFIG (see config-change.ts). */
  readonly data: Uint8Array
}

export interface HardState {
  readonly term: Term
  readonly vote: ReplicaId
  readonly commit: LogIndex
}

/** Joint consensus (thesis 4.3): `outgoing` is not empty while two majorities are needed. Lists are sorted. */
export interface Membership {
  readonly voters: readonly ReplicaId[]
  readonly outgoing: readonly ReplicaId[]
  readonly learners: readonly ReplicaId[]
  /** Become learners when the joint configuration is left. */
  readonly learnersNext: readonly ReplicaId[]
}

export interface SnapshotMeta {
  readonly index: LogIndex
  readonly term: Term
  readonly membership: Membership
}

interface Routed {
  readonly from: ReplicaId
  readonly to: ReplicaId
  readonly term: Term
}

export interface RequestVote extends Routed {
  readonly type: 'request_vote'
  readonly preVote: boolean
  readonly lastIndex: LogIndex
  readonly lastTerm: Term
  /** The leader asked for this campaign: leases of the old leader do not stand in its way. */
  readonly transfer: boolean
}
export interface VoteResponse extends Routed {
  readonly type: 'vote_response'
  readonly preVote: boolean
  readonly granted: boolean
  /** The voter's commit index and its term: what the candidate has of it is committed, and it may need to know (voter.ts). */
  readonly commit: LogIndex
  readonly commitTerm: Term
}
export interface AppendEntries extends Routed {
  readonly type: 'append_entries'
  readonly prevIndex: LogIndex
  readonly prevTerm: Term
  readonly commit: LogIndex
  readonly entries: readonly Entry[]
  /** It carries nothing but news of a commit, which nobody waits for: the host may keep it for company. Never on the wire. */
  readonly mayWait?: true
}
export interface AppendResponse extends Routed {
  readonly type: 'append_response'
  /** Matched up to here; on a reject the `prevIndex` that was refused. */
  readonly index: LogIndex
  readonly reject: boolean
  /** On a reject: where the logs may agree (both sides skip whole terms). */
  readonly hintIndex: LogIndex
  readonly hintTerm: Term
}
export interface Heartbeat extends Routed {
  readonly type: 'heartbeat'
  /** min(match, commit): never past what the follower has. */
  readonly commit: LogIndex
  /** Highest read request this round confirms; echoed back. */
  readonly readSeq: number
  /** The group has nothing to do: the follower stops its election timer until it hears anything (quiescence). */
  readonly quiesce: boolean
}
export interface HeartbeatResponse extends Routed {
  readonly type: 'heartbeat_response'
  readonly readSeq: number
  /** False: the follower could not fall asleep (it is behind or was woken), so the leader must not either. */
  readonly quiesced: boolean
}
/**
 * Tells the host to stream its snapshot to `to`; what crosses the wire in its stead are `snapshot_chunk`s. The receiver's
 * host may `step` it when the stream begins (a sign of life from the leader, no more); `restore` alone takes the snapshot.
 */
export interface InstallSnapshot extends Routed {
  readonly type: 'install_snapshot'
  readonly snapshot: SnapshotMeta
}
export interface TimeoutNow extends Routed {
  readonly type: 'timeout_now'
}
export interface ReadIndex extends Routed {
  readonly type: 'read_index'
  /** Chosen by the asking replica, unique within its boot. */
  readonly readId: number
}
export interface ReadIndexResponse extends Routed {
  readonly type: 'read_index_response'
  readonly readId: number
  readonly index: LogIndex
  /** True: this leader cannot answer (lost leadership meanwhile); ask again. */
  readonly reject: boolean
}

/** Everything that may come from a peer. */
export type PeerMessage =
  | RequestVote
  | VoteResponse
  | AppendEntries
  | AppendResponse
  | Heartbeat
  | HeartbeatResponse
  | InstallSnapshot
  | TimeoutNow
  | ReadIndex
  | ReadIndexResponse

export type Role = 'follower' | 'candidate' | 'precandidate' | 'leader'

/** Work for the storage. One at a time may be outstanding per `Ready`; several Readys may be in flight, in order. */
export interface AppendWork {
  /** Set when term, vote or commit changed. */
  readonly hardState: HardState | null
  /** Replaces whatever the log held from entries[0].index on. */
  readonly entries: readonly Entry[]
  /** A snapshot that the host has received and staged: becomes the state with this write. */
  readonly snapshot: SnapshotMeta | null
  /** False when only the commit index moved: needs no fsync, may ride with the next batch (P6). */
  readonly mustSync: boolean
  /**
   * Promises about durable state: votes, vote *requests*, append responses, the leader's acknowledgement to itself.
   * The host releases them (those to this replica by `step`) once the write is durable, in order. Sending one
   * early is the classic Raft bug, so they are a field of their own (P1, P2, P3). Where `mustSync` is false they wait
   * for the *earlier* works alone (there is one that is not yet durable), not for a sync of this one.
   */
  readonly thenSend: readonly PeerMessage[]
  /** Hand back with `appended()` once durable: carries the term it was made in (ABA, P8). */
  readonly ticket: AppendTicket
}

export interface AppendTicket {
  readonly term: Term
  /** The end of the log as handed to the storage so far, by this work or an earlier one. */
  readonly lastIndex: LogIndex
  readonly lastTerm: Term
  readonly snapshotIndex: LogIndex
  /** Number of the work since boot: the core's own count of what is still being written. */
  readonly seq: number
}

export interface Ready {
  /** May leave at once. */
  readonly messages: readonly PeerMessage[]
  readonly append: AppendWork | null
  /** Committed and locally durable: to be applied in order. */
  readonly committed: readonly Entry[]
  /** Reads whose index is confirmed: serve each once applied >= index. index < 0: refused, ask again. */
  readonly reads: readonly { readonly readId: number; readonly index: LogIndex }[]
}

export type ProposeResult =
  | { readonly ok: true; readonly index: LogIndex; readonly term: Term }
  | { readonly ok: false; readonly reason: 'not-leader' | 'uncommitted-limit' | 'transferring' | 'config-pending' }
