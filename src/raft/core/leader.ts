/**
 * The leader: appends, counts acknowledgements, commits, answers reads, keeps its quorum in sight, hands over.
 *
 * Invariants: only entries of its own term are committed by counting (5.4.2, pitfall 1); its own copy counts once it
 * is durable, like any other (P2, pitfall 25); it steps down when no quorum answers within an election timeout.
 */
import { assert } from '../../base/assert.ts'
import { NOBODY, type LogIndex, type ReplicaId } from '../../base/ids.ts'
import { encodeMembership } from './config-change.ts'
import { broadcastHeartbeat, broadcastReadRound } from './heartbeat.ts'
import { entryBytes } from './log.ts'
import { firstStep, isJoint, isVoter, leaveJoint, type MembershipTarget } from './membership.ts'
import { READ_REFUSED, type RaftNode } from './node.ts'
import type { Progress } from './progress.ts'
import { awake, mayQuiesce, quiesce, sleepIfAllDo, touch } from './quiescence.ts'
import {
  ENTRY_COMMANDS,
  ENTRY_CONFIG,
  ENTRY_NOOP,
  type AppendResponse,
  type EntryType,
  type HeartbeatResponse,
  type Membership,
  type ProposeResult,
} from './types.ts'

const NO_DATA = new Uint8Array(0)

export function becomeLeader(node: RaftNode): void {
  node.role = 'leader'
  node.votes.clear()
  node.setLeader(node.self)
  node.electionElapsed = 0
  node.heartbeatElapsed = 0
  node.idleTicks = 0
  node.silence = 0
  node.tracker.clear()
  node.tracker.configure(node.membership, node.log.last, false)
  // There may be a configuration in the tail that we know nothing of: no other before all of it is applied (pitfall 13).
  // And what this one knows to be committed, a majority has to remember first (see confirmMembership).
  node.uncommittedBytes = node.log.bytesBetween(node.log.commit, node.log.last)
  node.pendingConfig = append(node, ENTRY_NOOP, NO_DATA)
}

export function tickLeader(node: RaftNode): void {
  node.electionElapsed++
  node.heartbeatElapsed++
  node.idleTicks++
  if (node.electionElapsed >= node.options.electionTicks) {
    node.electionElapsed = 0
    if (!node.tracker.takeActiveQuorum()) {
      node.becomeFollower(node.term, NOBODY)
      return
    }
  }
  if (node.transferee !== NOBODY && ++node.transferElapsed >= node.options.electionTicks) node.transferee = NOBODY
  if (node.transferee === NOBODY && !isVoter(node.membership, node.self)) abdicate(node)
  if (node.heartbeatElapsed < node.options.heartbeatTicks) return
  if (mayQuiesce(node)) {
    quiesce(node)
  } else {
    if (node.quiescing) touch(node)
    broadcastHeartbeat(node, false)
  }
}

export function propose(node: RaftNode, data: Uint8Array): ProposeResult {
  if (node.role !== 'leader') return { ok: false, reason: 'not-leader' }
  if (node.transferee !== NOBODY) return { ok: false, reason: 'transferring' }
  // An entry larger than the limit passes when it is alone.
  if (node.uncommittedBytes > 0 && node.uncommittedBytes + data.byteLength > node.options.uncommittedBytesMax) {
    return { ok: false, reason: 'uncommitted-limit' }
  }
  return { ok: true, index: append(node, ENTRY_COMMANDS, data), term: node.term }
}

export function proposeMembership(node: RaftNode, target: MembershipTarget): ProposeResult {
  if (node.role !== 'leader') return { ok: false, reason: 'not-leader' }
  if (node.transferee !== NOBODY) return { ok: false, reason: 'transferring' }
  if (isJoint(node.membership) || node.pendingConfig > node.log.applied) return { ok: false, reason: 'config-pending' }
  return { ok: true, index: appendMembership(node, firstStep(node.membership, target)), term: node.term }
}

/** A joint configuration is left as soon as it is applied, by whoever leads then. */
export function leaveJointIfApplied(node: RaftNode): void {
  if (node.role !== 'leader' || !isJoint(node.membership) || node.pendingConfig > node.log.applied) return
  appendMembership(node, leaveJoint(node.membership))
}

/**
 * A joint configuration was left here, and perhaps only here: what is committed is remembered lazily (P2 asks for entries,
 * not for the commit index). Were this replica lost now, the others would be held by both halves, and voters of the old one
 * may be switched off as soon as the change is over. A write takes the commit index along: once an entry after the change is
 * committed, a majority of the new voters remembers it over any crash. Only then is the change over.
 */
export function confirmMembership(node: RaftNode): void {
  node.pendingConfig = append(node, ENTRY_NOOP, NO_DATA)
}

function appendMembership(node: RaftNode, membership: Membership): LogIndex {
  node.pendingConfig = append(node, ENTRY_CONFIG, encodeMembership(membership))
  return node.pendingConfig
}

function append(node: RaftNode, type: EntryType, data: Uint8Array): LogIndex {
  awake(node)
  touch(node)
  const entry = { index: node.log.last + 1, term: node.term, type, data }
  node.log.append(entry)
  node.uncommittedBytes += entryBytes(entry)
  node.replicate = true
  return entry.index
}

/** Commits what a quorum holds durably, if it is of this term. True: the commit index moved. */
export function commitByQuorum(node: RaftNode): boolean {
  const { log } = node
  const index = node.tracker.committed()
  if (index <= log.commit || log.termAt(index) !== node.term) return false
  node.uncommittedBytes -= log.bytesBetween(log.commit, index)
  log.commitTo(index)
  node.replicate = true
  return true
}

export function onAppendResponse(node: RaftNode, message: AppendResponse): void {
  // Not a member, or not any more: its word counts for nothing (pitfall 10).
  const peer = node.tracker.get(message.from)
  if (peer === undefined) return
  peer.active = true
  if (message.reject) {
    // Skip the whole terms that the follower cannot have.
    const hint = message.hintTerm > 0 ? node.log.lastAtOrBelow(message.hintIndex, message.hintTerm) : message.hintIndex
    if (peer.rejected(message.index, hint)) node.replicate = true
    return
  }
  assert(message.index <= node.log.last, 'a follower acknowledges more than there is')
  const moved = peer.acknowledged(message.index)
  if (peer !== node.tracker.own) advancePeer(node, peer, message.index, moved)
  if (moved && message.index > node.log.commit) commitByQuorum(node)
}

function advancePeer(node: RaftNode, peer: Progress, index: LogIndex, moved: boolean): void {
  if (peer.state === 'replicate') {
    if (moved) peer.inflights.freeTo(index)
  } else if (peer.state === 'probe') {
    if (peer.match === index) peer.becomeReplicate()
  } else if (moved && peer.match >= node.log.base) {
    // It came by the snapshot's content, whatever the host has yet to tell of the sending.
    peer.becomeReplicate()
  }
  if (peer.next <= node.log.last || peer.canTellCommit(node.log.commit)) node.replicate = true
  if (peer.replica === node.transferee && peer.match === node.log.last) node.replicate = true
}

export function onHeartbeatResponse(node: RaftNode, message: HeartbeatResponse): void {
  const peer = node.tracker.get(message.from)
  if (peer === undefined) return
  peer.active = true
  peer.probeSent = false
  if (peer.state === 'probe' || peer.match < node.log.last) {
    // Everything in flight may have been lost: an answer to an empty append would tell (pitfall 28).
    peer.sendEmpty = peer.state === 'replicate'
    node.replicate = true
  }
  if (message.readSeq > peer.readSeq) {
    peer.readSeq = message.readSeq
    answerConfirmed(node)
  }
  if (!node.quiescing) return
  peer.quiesced = message.quiesced
  sleepIfAllDo(node)
}

/** A read of this replica or, forwarded, of another. */
export function requestRead(node: RaftNode, from: ReplicaId, readId: number): void {
  awake(node)
  touch(node)
  if (!node.reads.add(from, readId)) node.answerRead(from, readId, READ_REFUSED)
}

/** The turn's reads: answered by the lease, or one round of heartbeats for all of them. */
export function flushReads(node: RaftNode): void {
  const { reads, log } = node
  if (!reads.waiting || !node.committedInTerm) return
  if (node.options.leaseReads && !node.transferred && reads.leaseHolds(node.ticks, node.options.electionTicks)) {
    for (const read of reads.takeWaiting()) node.answerRead(read.from, read.readId, log.commit)
    return
  }
  reads.begin(log.commit)
  broadcastReadRound(node)
  answerConfirmed(node)
}

/** Answers the rounds that a quorum has confirmed by now. */
export function answerConfirmed(node: RaftNode): void {
  const { reads } = node
  if (reads.empty && !node.options.leaseReads) return
  const confirmed = node.tracker.confirmedReads()
  reads.renewLease(confirmed)
  for (let round = reads.takeConfirmed(confirmed); round !== null; round = reads.takeConfirmed(confirmed)) {
    for (const read of round.reads) node.answerRead(read.from, read.readId, round.index)
  }
}

/** False: not the leader, or `target` is no voter to hand over to. */
export function transferLeadership(node: RaftNode, target: ReplicaId): boolean {
  const peer = node.tracker.get(target)
  if (node.role !== 'leader' || peer === undefined || peer === node.tracker.own) return false
  if (!node.membership.voters.includes(target)) return false
  if (node.transferee === target) return true
  awake(node)
  touch(node)
  node.transferee = target
  node.transferElapsed = 0
  node.timeoutNowSent = false
  node.replicate = true
  return true
}

/**
 * Leads a group that it has left. It goes on, without a vote, until a voter has taken over: if it left at once, the others
 * might not know yet that the new membership is committed. The best placed voter is asked first, again and again.
 */
export function abdicate(node: RaftNode): void {
  let heir: Progress | null = null
  for (const peer of node.tracker.peers) {
    if (!node.membership.voters.includes(peer.replica)) continue
    if (heir === null || (peer.active && !heir.active) || (peer.active === heir.active && peer.match > heir.match)) heir = peer
  }
  if (heir !== null) transferLeadership(node, heir.replica)
}
