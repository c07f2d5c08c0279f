/**
 * The write-ahead log of a node, shared by all its Raft groups: one durable write for
 * whatever queued while the last one ran. This file is the contract; `writer.ts`, `segments.ts`,
 * `record.ts` and `recover.ts` are the parts.
 *
 *   append(a) append(b) │ append(c) append(d) …      queued
 *   ────────────────────┼─────────────────────
 *   [a b marker] fsync  │ [c d marker] fsync         one batch in flight at a time
 *
 * Invariants:
 *  1. Completions come in the order of the appends, each after its bytes are durable.
 *  2. Writing an entry with index i of a group discards every entry >= i of that group before it:
 *     truncate and append are one record.
 *  3. A batch starts only after the fsync of the batch before it, so only the last batch can be torn.
 *  4. Any write or fsync error is final: `onFatal` is called, no later completion ever comes.
 *     (Disk full is the exception that says so: see WalOptions.onDiskFull.)
 */
import type { GroupId, LogIndex, ReplicaId, Term } from '../../base/ids.ts'
import type { LatencyCounts } from '../../base/latency-histogram.ts'

/** What a record says. `entry` payloads are opaque here. */
export type WalRecord =
  /** A replica of the group begins its life here: whatever came before of that group is void. */
  | { readonly kind: 'create'; readonly group: GroupId; readonly replica: ReplicaId }
  /**
   * The replica is damaged, and nothing of it before this will ever be used again: so the log need not keep it to show
   * that. Holds until the group is made anew (`create`) or ends (`remove`).
   */
  | { readonly kind: 'damaged'; readonly group: GroupId; readonly replica: ReplicaId }
  /** The replica ended here. */
  | { readonly kind: 'remove'; readonly group: GroupId }
  | {
      readonly kind: 'entry'
      readonly group: GroupId
      readonly index: LogIndex
      readonly term: Term
      readonly type: number
      readonly data: Uint8Array
    }
  | { readonly kind: 'hardState'; readonly group: GroupId; readonly term: Term; readonly vote: ReplicaId; readonly commit: LogIndex }
  /**
   * The state at `index` is durable in the key-value store (generation `generation`): entries up to it are not
   * needed for recovery. `reset` says it came from a peer and replaces the whole log.
   */
  | {
      readonly kind: 'snapshot'
      readonly group: GroupId
      readonly index: LogIndex
      readonly term: Term
      readonly generation: number
      readonly reset: boolean
      readonly config: Uint8Array
    }

/** What recovery found of one group. */
export interface RecoveredGroup {
  readonly group: GroupId
  readonly replica: ReplicaId
  readonly hardState: { readonly term: Term; readonly vote: ReplicaId; readonly commit: LogIndex }
  /** The last snapshot record, or null where the log begins at index 1. */
  readonly snapshot: { readonly index: LogIndex; readonly term: Term; readonly generation: number; readonly config: Uint8Array } | null
  /** Contiguous, from (snapshot.index or 0) + 1 on at the latest; may begin earlier. */
  readonly entries: readonly { readonly index: LogIndex; readonly term: Term; readonly type: number; readonly data: Uint8Array }[]
}

export interface Recovered {
  readonly wal: Wal
  readonly groups: readonly RecoveredGroup[]
  /** Groups whose records may be missing because bytes before the last batch are bad: they must not be served. */
  readonly damaged: readonly { readonly group: GroupId; readonly replica: ReplicaId }[]
  /** Bytes before the last batch are bad: groups may be missing that nothing names any more. */
  readonly holes: boolean
  /** Bytes cut from the torn tail; 0 where there was none. */
  readonly tornBytes: number
  /** One line per finding, for the log: segment, offset, what was expected. */
  readonly findings: readonly string[]
}

export interface WalStats {
  readonly fsyncs: number
  readonly bytesWritten: number
  readonly records: number
  readonly queuedBytes: number
  readonly segments: number
  /** On the disk, by all segments. */
  readonly segmentBytes: number
  /** Write and fsync of each batch. */
  readonly fsyncDurations: LatencyCounts
}

export interface Wal {
  /**
   * Queues records; they are one unit: all of them durable or none visible. `done` runs once they are durable
   * (in the order of the calls, in a turn of its own, with the time in ms that this batch's write+fsync took).
   */
  append(records: readonly WalRecord[], done: (fsyncMs: number) => void): void
  /**
   * Tells that the log of `group` up to `index` is no longer needed (its state is durable in the key-value store and a
   * `snapshot` record saying so was appended). Segments that no group needs are deleted.
   */
  release(group: GroupId, index: LogIndex): void
  /**
   * The groups that need the oldest segment, if it is not the one being written. It goes once each has released its entries
   * in it, has them written again (all that are not released, in one unit), or is said to be damaged (a `damaged` record).
   */
  readonly keepers: readonly GroupId[]
  readonly stats: WalStats
  /** True while the disk is full: appends are held back, `onDiskFull` told when it began and when it ended. */
  readonly full: boolean
  close(): Promise<void>
}

export interface WalOptions {
  readonly directory: string
  readonly segmentBytes: number
  /** A write or fsync error: the caller stops the process (exit 74). */
  readonly onFatal: (error: Error) => void
  /** Appends are not lost: they wait until space returns, tried again once a second. */
  readonly onDiskFull: (full: boolean) => void
}
