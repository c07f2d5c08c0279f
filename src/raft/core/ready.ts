/**
 * One Ready: the turn's reads and appends go out, and everything the host has to do is collected. The order inside is
 * the host's freedom, but for this: `thenSend` waits for its write, and writes happen in the order they were handed out.
 */
import { checkInvariants } from './invariants.ts'
import { flushReads } from './leader.ts'
import type { RaftNode } from './node.ts'
import { replicateAll } from './replication.ts'
import type { AppendTicket, AppendWork, HardState, Ready } from './types.ts'

export function hasReady(node: RaftNode): boolean {
  if (!node.outbox.empty || node.answeredReads.length > 0 || node.log.hasUnsaved || hardStateMoved(node)) return true
  if (node.log.hasCommitted(node.options.applyBytesMax)) return true
  return node.role === 'leader' && (node.replicate || (node.reads.waiting && node.committedInTerm))
}

export function takeReady(node: RaftNode): Ready {
  checkInvariants(node)
  if (node.role === 'leader') {
    flushReads(node)
    if (node.replicate) replicateAll(node)
  }
  const append = takeAppend(node)
  const committed = node.log.takeCommitted(node.options.applyBytesMax)
  const messages = node.outbox.takeMessages()
  const reads = node.answeredReads
  if (reads.length > 0) node.answeredReads = []
  return { messages, append, committed, reads }
}

function takeAppend(node: RaftNode): AppendWork | null {
  const { log, outbox } = node
  const voted = node.term !== node.saved.term || node.vote !== node.saved.vote
  const hardState = voted || log.commit !== node.saved.commit ? takeHardState(node) : null
  const snapshot = log.takeSnapshot()
  const entries = log.takeUnsaved()
  const mustSync = voted || snapshot !== null || entries.length > 0
  if (node.role === 'leader' && entries.length > 0) acknowledgeToSelf(node)
  // Nothing to write now and nothing being written: what the promises speak of is durable.
  if (!mustSync && node.durableSeq >= node.syncSeq) outbox.releasePromises()
  const thenSend = outbox.takePromises()
  if (!mustSync && hardState === null && thenSend.length === 0) return null
  const seq = ++node.workSeq
  if (mustSync) node.syncSeq = seq
  return { hardState, entries, snapshot, mustSync, thenSend, ticket: ticketOf(node, seq) }
}

/** The leader's own copy counts like a follower's: by a message that waits for the write. */
function acknowledgeToSelf(node: RaftNode): void {
  node.outbox.promise({
    type: 'append_response',
    from: node.self,
    to: node.self,
    term: node.term,
    index: node.log.last,
    reject: false,
    hintIndex: 0,
    hintTerm: 0,
  })
}

function hardStateMoved(node: RaftNode): boolean {
  return node.term !== node.saved.term || node.vote !== node.saved.vote || node.log.commit !== node.saved.commit
}

function takeHardState(node: RaftNode): HardState {
  node.saved = { term: node.term, vote: node.vote, commit: node.log.commit }
  return node.saved
}

function ticketOf(node: RaftNode, seq: number): AppendTicket {
  const { log } = node
  return {
    term: node.term,
    lastIndex: log.handed,
    lastTerm: log.termAt(log.handed),
    snapshotIndex: log.pendingSnapshot === null ? 0 : log.pendingSnapshot.index,
    seq,
  }
}
