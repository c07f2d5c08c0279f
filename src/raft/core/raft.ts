/**
 * The face of the core: takes what happens to a replica to the file of its role. How one message goes:
 *
 *     step ─> is it for us ─> does it end the sleep ─> term-rules.ts ─> voter.ts | leader.ts | candidate.ts | follower.ts
 *     ready <─ ready.ts <─ outbox.ts, log.ts, replication.ts
 *
 * Pure: the same calls give the same results, in the same order.
 */
import { assert, unreachable } from '../../base/assert.ts'
import { NOBODY, type LogIndex, type ReplicaId, type Term } from '../../base/ids.ts'
import { onApplied } from './apply.ts'
import { campaign, onVoteResponse } from './candidate.ts'
import { hearLeader, onAppendEntries, onHeartbeat, onReadIndexResponse, onTimeoutNow, takeSnapshot, tickFollower } from './follower.ts'
import * as leader from './leader.ts'
import { TERM_UNKNOWN } from './log.ts'
import { READ_REFUSED, RaftNode } from './node.ts'
import { awake, disturbs } from './quiescence.ts'
import type { InstallRequest, PeerProgress, RaftCore, RaftOptions, RaftState, RaftStatus } from './raft-core.ts'
import { hasReady, takeReady } from './ready.ts'
import { admit } from './term-rules.ts'
import type { AppendTicket, Entry, Membership, PeerMessage, ProposeResult, ReadIndex, Ready, Role, SnapshotMeta } from './types.ts'
import { onRequestVote } from './voter.ts'

/** A replica as recovery found it. Throws AssertionError on options out of range or a state that cannot be. */
export function createRaft(options: RaftOptions, state: RaftState): RaftCore {
  checkOptions(options)
  return new Raft(options, state)
}

function checkOptions(options: RaftOptions): void {
  assert(options.self !== NOBODY, 'a replica needs an id')
  assert(options.heartbeatTicks >= 1 && options.electionTicks > options.heartbeatTicks, 'elections must be slower than heartbeats')
  assert(options.appendBytesMax > 0 && options.uncommittedBytesMax > 0 && options.applyBytesMax > 0, 'byte limits must be positive')
  assert(options.quiesceTicks >= 0, 'quiesceTicks must not be negative')
}

class Raft implements RaftCore {
  readonly #node: RaftNode

  constructor(options: RaftOptions, state: RaftState) {
    this.#node = new RaftNode(options, state)
  }

  get self(): ReplicaId {
    return this.#node.self
  }

  get role(): Role {
    return this.#node.role
  }

  get term(): Term {
    return this.#node.term
  }

  get leader(): ReplicaId {
    return this.#node.leader
  }

  get commit(): LogIndex {
    return this.#node.log.commit
  }

  get quiesced(): boolean {
    return this.#node.quiesced
  }

  get forgot(): LogIndex {
    return this.#node.forgot
  }

  get appliedMembership(): Membership {
    return this.#node.membership
  }

  tick(): void {
    const node = this.#node
    if (node.quiesced || node.forgot > 0) return
    node.ticks++
    if (node.role === 'leader') leader.tickLeader(node)
    else tickFollower(node)
  }

  step(message: PeerMessage): void {
    const node = this.#node
    if (message.to !== node.self || node.forgot > 0) return
    if (node.quiesced && disturbs(node, message)) awake(node)
    if (admit(node, message)) dispatch(node, message)
  }

  propose(data: Uint8Array): ProposeResult {
    return leader.propose(this.#node, data)
  }

  proposeMembership(target: { readonly voters: readonly ReplicaId[]; readonly learners: readonly ReplicaId[] }): ProposeResult {
    return leader.proposeMembership(this.#node, target)
  }

  readIndex(readId: number): boolean {
    const node = this.#node
    if (node.role === 'leader') {
      leader.requestRead(node, node.self, readId)
      return true
    }
    if (node.leader === NOBODY) return false
    awake(node)
    if (!node.forwarded.add(readId)) {
      node.answerRead(node.self, readId, READ_REFUSED)
      return true
    }
    node.outbox.send({ type: 'read_index', from: node.self, to: node.leader, term: node.term, readId })
    return true
  }

  transferLeadership(target: ReplicaId): boolean {
    return leader.transferLeadership(this.#node, target)
  }

  campaign(): void {
    awake(this.#node)
    campaign(this.#node, false)
  }

  wake(): void {
    const node = this.#node
    if (!node.quiesced) return
    awake(node)
    // The host may know that the leader is gone. A sleeper cannot vouch for it, so it does not stand in another's way.
    if (node.role !== 'leader') node.silence = node.options.electionTicks
  }

  unreachable(peer: ReplicaId): void {
    const progress = this.#node.tracker.get(peer)
    // What is in flight was most likely lost.
    if (progress !== undefined && progress.state === 'replicate' && progress !== this.#node.tracker.own) progress.becomeProbe()
  }

  snapshotSent(peer: ReplicaId, ok: boolean): void {
    const progress = this.#node.tracker.get(peer)
    if (progress === undefined || progress.state !== 'snapshot') return
    if (!ok) progress.snapshotIndex = 0
    progress.becomeProbe()
    // Its acknowledgement is on the way, or the next try can wait: for the next sign of life in either case.
    progress.probeSent = true
  }

  restore(message: InstallRequest): boolean {
    const node = this.#node
    awake(node)
    const { from, term, snapshot } = message
    if (!admit(node, { type: 'install_snapshot', from, to: node.self, term, snapshot })) return false
    return takeSnapshot(node, from, snapshot)
  }

  hasReady(): boolean {
    return this.#node.forgot === 0 && hasReady(this.#node)
  }

  ready(): Ready {
    return takeReady(this.#node)
  }

  appended(ticket: AppendTicket): void {
    const node = this.#node
    node.durableSeq = Math.max(node.durableSeq, ticket.seq)
    node.log.saved(ticket, node.term)
  }

  applied(index: LogIndex): void {
    onApplied(this.#node, index)
  }

  compact(index: LogIndex): void {
    this.#node.log.compact(index)
  }

  setSnapshotSource(source: () => SnapshotMeta | null): void {
    this.#node.snapshotSource = source
  }

  handedAfter(index: LogIndex): readonly Entry[] {
    return this.#node.log.handedAfter(index)
  }

  termAt(index: LogIndex): Term | null {
    const term = this.#node.log.termAt(index)
    return term === TERM_UNKNOWN ? null : term
  }

  status(): RaftStatus {
    const { log, role, term, vote, quiesced, transferee, membership, leader } = this.#node
    const { commit, applied, stable, first, last } = log
    const progress = role === 'leader' ? progressOf(this.#node) : []
    return { role, term, vote, leader, commit, applied, durable: stable, first, last, membership, quiesced, transferee, progress }
  }
}

function progressOf(node: RaftNode): PeerProgress[] {
  return Array.from(node.tracker.all(), (peer) => {
    const own = peer === node.tracker.own
    return {
      replica: peer.replica,
      match: peer.match,
      next: own ? node.log.last + 1 : peer.next,
      state: own ? 'replicate' : peer.state,
      active: peer.active,
      learner: peer.learner,
    }
  })
}

function dispatch(node: RaftNode, message: PeerMessage): void {
  switch (message.type) {
    case 'request_vote':
      return onRequestVote(node, message)
    case 'vote_response':
      return onVoteResponse(node, message)
    case 'append_entries':
      return onAppendEntries(node, message)
    case 'append_response':
      return node.role === 'leader' ? leader.onAppendResponse(node, message) : undefined
    case 'heartbeat':
      return onHeartbeat(node, message)
    case 'heartbeat_response':
      return node.role === 'leader' ? leader.onHeartbeatResponse(node, message) : undefined
    case 'install_snapshot':
      return hearLeader(node, message.from)
    case 'timeout_now':
      return onTimeoutNow(node, message)
    case 'read_index':
      return onReadIndex(node, message)
    case 'read_index_response':
      return onReadIndexResponse(node, message)
    default:
      return unreachable(message, 'message')
  }
}

function onReadIndex(node: RaftNode, message: ReadIndex): void {
  if (node.role === 'leader') leader.requestRead(node, message.from, message.readId)
  else node.answerRead(message.from, message.readId, READ_REFUSED)
}
