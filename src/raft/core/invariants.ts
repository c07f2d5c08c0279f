/**
 * What must hold in one replica between any two calls. Cheap, so it is checked at every Ready, in production too; what
 * must hold between replicas is checked by the tests and the simulator.
 */
import { assert } from '../../base/assert.ts'
import { NOBODY } from '../../base/ids.ts'
import { isJoint } from './membership.ts'
import type { RaftNode } from './node.ts'

export function checkInvariants(node: RaftNode): void {
  const { log, saved } = node
  assert(log.base <= log.applied, 'compacted beyond what is applied')
  assert(log.applied <= log.applying && log.applying <= log.commit, 'applied beyond the commit index')
  assert(log.commit <= log.last, 'committed beyond the log')
  assert(log.stable <= log.handed && log.handed <= log.last, 'durable beyond what was handed out')
  assert(log.pendingSnapshot !== null || log.applying <= log.stable, 'applied what is not durable (P9)')
  assert(log.applyingBytes >= 0 && node.uncommittedBytes >= 0, 'a negative size')
  assert(node.term >= saved.term && log.commit >= saved.commit, 'term or commit went back')
  assert(node.term > saved.term || saved.vote === NOBODY || saved.vote === node.vote, 'a vote was changed within its term')
  assert(isJoint(node.membership) || node.membership.learnersNext.length === 0, 'staged learners outside of a joint configuration')
  if (node.role === 'leader') checkLeader(node)
  else assert(node.transferee === NOBODY && node.reads.empty && !node.quiescing, 'a leader’s business without a leader')
}

function checkLeader(node: RaftNode): void {
  assert(node.leader === node.self && node.vote === node.self, 'a leader that follows another')
  assert(node.tracker.own.match <= node.log.stable, 'the leader counts what is not durable (P2)')
  for (const peer of node.tracker.peers) {
    assert(peer.match < peer.next, 'next must be beyond match')
    assert(peer.match <= node.log.last, 'a follower matches more than there is')
    assert(peer.state === 'replicate' || peer.inflights.count === 0, 'appends in flight to a peer that is not in replicate')
  }
}
