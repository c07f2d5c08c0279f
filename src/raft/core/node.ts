/**
 * The state of one replica, shared by the files of its roles (follower.ts, candidate.ts, leader.ts), and the one
 * transition that every role can make: to follower. Plain fields: who may change them is said by the files, and what
 * must hold between them by invariants.ts.
 */
import { assert } from '../../base/assert.ts'
import { NOBODY, type LogIndex, type ReplicaId, type Term } from '../../base/ids.ts'
import { decodeMembership } from './config-change.ts'
import { RaftLog } from './log.ts'
import { isMember, isVoter } from './membership.ts'
import { Outbox } from './outbox.ts'
import type { RaftOptions, RaftState } from './raft-core.ts'
import { ForwardedReads, ReadRounds } from './read-index.ts'
import { Tracker } from './tracker.ts'
import { ENTRY_CONFIG, type HardState, type Membership, type Role, type SnapshotMeta } from './types.ts'

/** The index of a read that is refused: ask again. */
export const READ_REFUSED = -1

export class RaftNode {
  readonly options: RaftOptions
  readonly self: ReplicaId
  readonly log: RaftLog
  readonly outbox = new Outbox()

  role: Role = 'follower'
  term: Term
  vote: ReplicaId
  leader: ReplicaId = NOBODY
  /** In force since the last applied configuration entry. */
  membership: Membership
  /** The candidate's answers, the first of each replica. */
  readonly votes = new Map<ReplicaId, boolean>()

  /** Ticks since boot: the leader's clock for its lease. */
  ticks = 0
  electionElapsed = 0
  electionTimeout = 0
  heartbeatElapsed = 0
  /** Ticks since a leader was heard: younger than an election timeout, no vote is given to another (section 6). */
  silence = 0

  /** The group sleeps: no ticks, until anything happens. */
  quiesced = false
  /** Leader: ticks without work; whether it is asking the followers to sleep. */
  idleTicks = 0
  quiescing = false

  // The leader's part; empty in other roles.
  readonly tracker: Tracker
  readonly reads = new ReadRounds()
  transferee: ReplicaId = NOBODY
  transferElapsed = 0
  timeoutNowSent = false
  /** A timeout_now has left in this term: a lease of it can no longer be relied on, since that vote ignores leases. */
  transferred = false
  /** No configuration may be proposed before this index is applied. */
  pendingConfig: LogIndex = 0
  /** Of (commit, last]. */
  uncommittedBytes = 0
  /** There may be something to send to the followers: looked at once per Ready, so that a turn's proposals go together. */
  replicate = false

  readonly forwarded: ForwardedReads
  /** The term in which the leader asked us to take over, while configuration entries must be applied first (P10). */
  takeOverTerm: Term = 0
  answeredReads: { readonly readId: number; readonly index: LogIndex }[] = []
  snapshotSource: () => SnapshotMeta | null = () => null

  /** See RaftCore. */
  forgot: LogIndex = 0

  /** As last handed to the storage. */
  saved: HardState
  /** Numbers of works: the last one made, the last one that needs a sync, the last one known durable. */
  workSeq = 0
  syncSeq = 0
  durableSeq = 0

  constructor(options: RaftOptions, state: RaftState) {
    this.options = options
    this.self = options.self
    this.log = new RaftLog(state)
    this.term = state.hardState.term
    this.vote = state.hardState.vote
    this.saved = { term: this.term, vote: this.vote, commit: this.log.commit }
    this.membership = recoverMembership(this.log, state.snapshot.membership)
    this.tracker = new Tracker(options)
    this.forwarded = new ForwardedReads(options.electionTicks)
    this.resetElectionTimer()
  }

  resetElectionTimer(): void {
    this.electionElapsed = 0
    this.electionTimeout = this.options.electionTicks + this.options.random(this.options.electionTicks)
  }

  /** The term only rises, and the vote of an old term means nothing in the new one. */
  setTerm(term: Term): void {
    assert(term >= this.term, 'terms only rise')
    if (term === this.term) return
    this.term = term
    this.vote = NOBODY
    this.#refuseForwarded()
  }

  /** Follows `leader` (or nobody yet) in `term`. Whatever the old role had open is given up here. */
  becomeFollower(term: Term, leader: ReplicaId): void {
    this.setTerm(term)
    this.resetElectionTimer()
    this.votes.clear()
    if (this.role === 'leader') this.#giveUpLeadership()
    this.role = 'follower'
    this.setLeader(leader)
  }

  setLeader(leader: ReplicaId): void {
    if (leader === this.leader) return
    this.leader = leader
    this.#refuseForwarded()
  }

  /** Reads that were forwarded to another leader, or in another term, will not be answered any more. */
  #refuseForwarded(): void {
    for (const readId of this.forwarded.drain()) this.answerRead(this.self, readId, READ_REFUSED)
  }

  #giveUpLeadership(): void {
    for (const read of this.reads.drain()) this.answerRead(read.from, read.readId, READ_REFUSED)
    this.tracker.clear()
    this.transferee = NOBODY
    this.transferred = false
    this.pendingConfig = 0
    this.uncommittedBytes = 0
    this.replicate = false
    this.idleTicks = 0
    this.quiescing = false
  }

  answerRead(to: ReplicaId, readId: number, index: LogIndex): void {
    if (to === this.self) {
      this.answeredReads.push({ readId, index })
      return
    }
    const reject = index === READ_REFUSED
    this.outbox.send({ type: 'read_index_response', from: this.self, to, term: this.term, readId, index: reject ? 0 : index, reject })
  }

  get committedInTerm(): boolean {
    return this.log.termAt(this.log.commit) === this.term
  }

  /**
   * Whether votes are withheld from others because a leader is alive. Without lease reads this protects against
   * disruption only, and a replica that has given the leader up itself need not keep to it; with them the leader
   * relies on it, across restarts too (`silence` is 0 at boot).
   */
  get leaseProtected(): boolean {
    if (this.role === 'leader') return true
    return this.silence < this.options.electionTicks && (this.options.leaseReads || this.leader !== NOBODY)
  }

  /**
   * Whether this replica may stand for election. Not with a committed configuration that is not applied yet (P10):
   *
   *     {A,B,C} -> {C,D,E}: the joint entry J is committed and applied by C, D, E; so is the leaving entry L. A and B hold
   *     both, have applied neither, and know J committed, since L came with that commit. Were A to campaign by {A,B,C} it
   *     would win with A and B, in a term that D wins by {C,D,E}.
   */
  get electable(): boolean {
    return (
      isVoter(this.membership, this.self) && this.log.pendingSnapshot === null && !this.log.hasConfig(this.log.applied, this.log.commit)
    )
  }

  /** Whether `replica` is a member now, or would be by a configuration that is on its way to be applied. */
  knows(replica: ReplicaId): boolean {
    if (isMember(this.membership, replica)) return true
    for (let index = this.log.applied + 1; index <= this.log.last; index++) {
      const entry = this.log.at(index)
      if (entry.type === ENTRY_CONFIG && isMember(decodeMembership(entry.data), replica)) return true
    }
    return false
  }
}

/** What was in force at the applied index: that of the compaction point, or of the last configuration applied since. */
function recoverMembership(log: RaftLog, atBase: Membership): Membership {
  for (let index = log.applied; index > log.base; index--) {
    const entry = log.at(index)
    if (entry.type === ENTRY_CONFIG) return decodeMembership(entry.data)
  }
  return atBase
}
