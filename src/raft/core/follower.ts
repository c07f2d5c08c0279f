/**
 * The follower: takes what the leader sends, and campaigns when it hears nothing. An append is answered once it is
 * durable (P2); the commit index never passes what this very message has matched (pitfall 7).
 */
import { AssertionError } from '../../base/assert.ts'
import { NOBODY, type LogIndex, type ReplicaId } from '../../base/ids.ts'
import { campaign } from './candidate.ts'
import { isVoter } from './membership.ts'
import { READ_REFUSED, type RaftNode } from './node.ts'
import { mayFollowToSleep } from './quiescence.ts'
import type { AppendEntries, Heartbeat, ReadIndexResponse, SnapshotMeta, TimeoutNow } from './types.ts'

/** Followers and candidates. */
export function tickFollower(node: RaftNode): void {
  node.silence++
  node.electionElapsed++
  for (const readId of node.forwarded.tick()) node.answerRead(node.self, readId, READ_REFUSED)
  if (node.electionElapsed < node.electionTimeout) return
  node.resetElectionTimer()
  if (isVoter(node.membership, node.self)) campaign(node, false)
  // It cannot ask whether there is another. It may have been dropped while it was away: nobody sends it anything then.
  else node.setLeader(NOBODY)
}

/** A message of this term's leader arrived. */
export function hearLeader(node: RaftNode, leader: ReplicaId): void {
  if (node.leader !== leader && node.leader !== NOBODY) {
    throw new AssertionError(`two leaders in term ${node.term}: ${node.leader} and ${leader}`)
  }
  if (node.role !== 'follower') node.becomeFollower(node.term, leader)
  else node.setLeader(leader)
  node.electionElapsed = 0
  node.silence = 0
}

export function onAppendEntries(node: RaftNode, message: AppendEntries): void {
  if (!isContiguous(message)) return
  hearLeader(node, message.from)
  const { log } = node
  if (message.prevIndex < log.commit) {
    // Old news: all of that is committed here.
    accept(node, message.from, log.commit)
    return
  }
  if (log.termAt(message.prevIndex) !== message.prevTerm) {
    reject(node, message)
    return
  }
  log.merge(message.entries)
  const matched = message.prevIndex + message.entries.length
  log.commitTo(Math.min(message.commit, matched))
  accept(node, message.from, matched)
}

/** The leader never sends anything else: a frame that was put together wrongly is as good as lost. */
function isContiguous(message: AppendEntries): boolean {
  const { entries, prevIndex } = message
  for (let i = 0; i < entries.length; i++) if (entries[i]!.index !== prevIndex + 1 + i) return false
  return true
}

function accept(node: RaftNode, to: ReplicaId, index: LogIndex): void {
  node.outbox.promise({
    type: 'append_response',
    from: node.self,
    to,
    term: node.term,
    index,
    reject: false,
    hintIndex: 0,
    hintTerm: 0,
  })
}

/** Says where the logs may agree: entries of a later term than the leader's previous one cannot be the leader's (pitfall 29). */
function reject(node: RaftNode, message: AppendEntries): void {
  const hintIndex = node.log.lastAtOrBelow(message.prevIndex, message.prevTerm)
  node.outbox.promise({
    type: 'append_response',
    from: node.self,
    to: message.from,
    term: node.term,
    index: message.prevIndex,
    reject: true,
    hintIndex,
    hintTerm: node.log.termAt(hintIndex),
  })
}

export function onHeartbeat(node: RaftNode, message: Heartbeat): void {
  hearLeader(node, message.from)
  // A leader tells nobody of more than it has acknowledged, so this log has lost something that was durable once.
  if (message.commit > node.log.last) {
    node.forgot = message.commit
    return
  }
  node.log.commitTo(message.commit)
  node.quiesced = message.quiesce && mayFollowToSleep(node)
  node.outbox.send({
    type: 'heartbeat_response',
    from: node.self,
    to: message.from,
    term: node.term,
    readSeq: message.readSeq,
    quiesced: node.quiesced,
  })
}

/** False: we have all of it, the host may throw its copy away (pitfall 11). */
export function takeSnapshot(node: RaftNode, leader: ReplicaId, snapshot: SnapshotMeta): boolean {
  hearLeader(node, leader)
  const { log } = node
  if (snapshot.index <= log.commit) {
    accept(node, leader, log.commit)
    return false
  }
  if (log.termAt(snapshot.index) === snapshot.term) {
    // Our log runs through the snapshot: what follows it stays.
    log.commitTo(snapshot.index)
    accept(node, leader, snapshot.index)
    return false
  }
  log.restore(snapshot)
  node.membership = snapshot.membership
  accept(node, leader, snapshot.index)
  return true
}

/** The leader hands over. Configurations that are committed come first (P10): then it waits for them to be applied. */
export function onTimeoutNow(node: RaftNode, message: TimeoutNow): void {
  if (node.role !== 'follower' || (node.leader !== NOBODY && node.leader !== message.from)) return
  if (node.electable) campaign(node, true)
  else node.takeOverTerm = node.term
}

/** Entries were applied: what kept us from taking over may be gone. */
export function takeOverIfAsked(node: RaftNode): void {
  if (node.takeOverTerm === node.term && node.role === 'follower' && node.electable) campaign(node, true)
}

export function onReadIndexResponse(node: RaftNode, message: ReadIndexResponse): void {
  if (!node.forwarded.settle(message.readId)) return
  node.answerRead(node.self, message.readId, message.reject ? READ_REFUSED : message.index)
}
