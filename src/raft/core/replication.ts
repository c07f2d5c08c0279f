/**
 * The leader's log on its way to the followers: which append (or snapshot) goes to whom, once per Ready, so that all
 * proposals of a turn share one message. The window of progress.ts decides how much may be out.
 */
import { assert } from '../../base/assert.ts'
import { entryBytes, TERM_UNKNOWN } from './log.ts'
import type { RaftNode } from './node.ts'
import type { Progress } from './progress.ts'
import type { Entry } from './types.ts'

const NO_ENTRIES: readonly Entry[] = []

/** Sends everything that may be sent now. */
export function replicateAll(node: RaftNode): void {
  node.replicate = false
  for (const peer of node.tracker.peers) {
    replicateTo(node, peer)
    if (peer.replica === node.transferee && peer.match === node.log.last && !node.timeoutNowSent && allCommitted(node)) sendTimeoutNow(node)
  }
}

/** What is committed later would be answered by nobody: the successor does not know who asked. */
function allCommitted({ log }: RaftNode): boolean {
  return log.commit === log.last
}

/** The chosen successor has everything. Behind its append, so that it knows all that is committed (P10). */
function sendTimeoutNow(node: RaftNode): void {
  node.timeoutNowSent = true
  node.transferred = true
  node.outbox.send({ type: 'timeout_now', from: node.self, to: node.transferee, term: node.term })
}

export function replicateTo(node: RaftNode, peer: Progress): void {
  if (peer.state === 'snapshot' || (peer.state === 'probe' && peer.probeSent)) return
  // Compacted under it: there is no append that it could take.
  if (node.log.termAt(peer.next - 1) === TERM_UNKNOWN) {
    sendSnapshot(node, peer)
    return
  }
  const bytesMax = node.options.appendBytesMax
  if (peer.state === 'probe') {
    sendAppend(node, peer, node.log.slice(peer.next, bytesMax))
    return
  }
  while (peer.next <= node.log.last && !peer.inflights.full) sendAppend(node, peer, node.log.slice(peer.next, bytesMax))
  if (peer.sendEmpty) sendAppend(node, peer, NO_ENTRIES)
  else if (peer.canTellCommit(node.log.commit)) tellCommit(node, peer)
}

function sendAppend(node: RaftNode, peer: Progress, entries: readonly Entry[]): void {
  const prevIndex = peer.next - 1
  const prevTerm = node.log.termAt(prevIndex)
  const commit = node.log.commit
  node.outbox.send({ type: 'append_entries', from: node.self, to: peer.replica, term: node.term, prevIndex, prevTerm, commit, entries })
  let bytes = 0
  for (let i = 0; i < entries.length; i++) bytes += entryBytes(entries[i]!)
  peer.sent(prevIndex + entries.length, bytes)
  peer.sentCommit = commit
}

function tellCommit(node: RaftNode, peer: Progress): void {
  const { log, self: from, term } = node
  const prevIndex = peer.next - 1
  const [prevTerm, { commit }] = [log.termAt(prevIndex), log]
  const type = 'append_entries'
  node.outbox.send({ type, from, to: peer.replica, term, prevIndex, prevTerm, commit, entries: NO_ENTRIES, mayWait: true })
  peer.sentCommit = commit
}

/** The host streams it, and tells with `snapshotSent` how it went. */
function sendSnapshot(node: RaftNode, peer: Progress): void {
  // Not to somebody who does not answer: the stream would only expire, and start again.
  if (!peer.active) return
  const snapshot = node.snapshotSource()
  // None yet, or one that would leave a gap: the next answer of the peer brings us here again.
  if (snapshot === null || snapshot.index < node.log.base) return
  assert(snapshot.index <= node.log.applied, `a snapshot at ${snapshot.index} of what is applied up to ${node.log.applied}`)
  peer.becomeSnapshot(snapshot.index)
  node.outbox.send({ type: 'install_snapshot', from: node.self, to: peer.replica, term: node.term, snapshot })
}

/** Tells a replica that is about to leave the group what is committed, so that it learns that it has left. */
export function sayFarewell(node: RaftNode, peer: Progress): void {
  if (peer.state === 'replicate') replicateTo(node, peer)
}
