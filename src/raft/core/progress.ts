/**
 * What the leader believes of one follower.
 *
 *             becomeReplicate (first accepted append)
 *     probe ───────────────────────────────────────> replicate     probe: one append at a time, to find where the logs agree
 *       ^ <─────────────────────────────────────────    |          replicate: optimistic, a window of appends in flight
 *       |    becomeProbe (a reject, unreachable)        |          snapshot: nothing is sent until it has arrived
 *       └──────────── snapshot <────────────────────────┘
 *            sent, failed       needs entries that are compacted
 *
 * Invariants: match < next. `match` never falls within a term (pitfall 9): acknowledged is acknowledged. In `replicate`
 * everything in [match + 1, next) is in flight.
 */
import type { LogIndex, ReplicaId } from '../../base/ids.ts'
import { Inflights } from './inflights.ts'
import type { RaftOptions } from './raft-core.ts'

export type ProgressState = 'probe' | 'replicate' | 'snapshot'

export class Progress {
  readonly replica: ReplicaId
  readonly inflights: Inflights
  learner: boolean
  match: LogIndex = 0
  next: LogIndex
  state: ProgressState = 'probe'
  /** Heard from since the last check of the quorum. */
  active: boolean
  /** Probe: the one append is out; only an answer or a heartbeat's answer lets another go. */
  probeSent = false
  /** An append must go even if it carries nothing: its answer tells whether what is in flight was lost (pitfall 28). */
  sendEmpty = false
  /** Highest commit index that the follower was told of. */
  sentCommit: LogIndex = 0
  /** Snapshot: the index of the one on its way. */
  snapshotIndex: LogIndex = 0
  /** Highest read round it has confirmed. */
  readSeq = 0
  /** It sleeps, as it was asked to. */
  quiesced = false

  constructor(replica: ReplicaId, next: LogIndex, learner: boolean, active: boolean, options: RaftOptions) {
    this.replica = replica
    this.next = next
    this.learner = learner
    this.active = active
    this.inflights = new Inflights(options.inflightMessagesMax, options.inflightBytesMax)
  }

  becomeProbe(): void {
    // After a snapshot the follower is expected to have it, even if its acknowledgement was lost.
    this.next = this.state === 'snapshot' ? Math.max(this.match, this.snapshotIndex) + 1 : this.match + 1
    this.#enter('probe')
    this.sentCommit = Math.min(this.sentCommit, this.next - 1)
  }

  becomeReplicate(): void {
    this.#enter('replicate')
    this.next = this.match + 1
  }

  becomeSnapshot(index: LogIndex): void {
    this.#enter('snapshot')
    this.snapshotIndex = index
    this.sentCommit = index
  }

  #enter(state: ProgressState): void {
    this.state = state
    this.probeSent = false
    this.sendEmpty = false
    this.snapshotIndex = 0
    this.inflights.clear()
  }

  /** An append with entries up to `last` has left. */
  sent(last: LogIndex, bytes: number): void {
    this.sendEmpty = false
    if (this.state === 'probe') {
      this.probeSent = true
    } else if (bytes > 0) {
      this.next = last + 1
      this.inflights.add(last, bytes)
    }
  }

  /** The follower has the log durably up to `index`. False: known already. */
  acknowledged(index: LogIndex): boolean {
    if (index <= this.match) return false
    this.match = index
    this.next = Math.max(this.next, index + 1)
    this.probeSent = false
    return true
  }

  /**
   * The append after `rejected` was refused; the logs may agree at `hint`. False: an old or reordered answer, which
   * must not move anything back.
   */
  rejected(rejected: LogIndex, hint: LogIndex): boolean {
    if (this.state === 'replicate') {
      if (rejected <= this.match) return false
      this.becomeProbe()
      return true
    }
    if (this.state !== 'probe' || this.next - 1 !== rejected) return false
    this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1)
    this.sentCommit = Math.min(this.sentCommit, this.next - 1)
    this.probeSent = false
    return true
  }

  /** Whether an append without entries would tell the follower of a commit it has not heard of. */
  canTellCommit(commit: LogIndex): boolean {
    return commit > this.sentCommit && this.sentCommit < this.next - 1
  }
}
