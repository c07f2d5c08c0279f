/**
 * The host has applied entries. Configurations take effect here, when they are *applied* and not when they are appended
 * (as in etcd): on every replica at the same place of the log, and never from an entry that may still be lost.
 */
import { NOBODY, type LogIndex } from '../../base/ids.ts'
import { decodeMembership } from './config-change.ts'
import { takeOverIfAsked } from './follower.ts'
import { abdicate, answerConfirmed, commitByQuorum, confirmMembership, leaveJointIfApplied } from './leader.ts'
import { isJoint, isMember, isVoter } from './membership.ts'
import type { RaftNode } from './node.ts'
import { sayFarewell } from './replication.ts'
import { ENTRY_CONFIG, type Membership } from './types.ts'

/** Entries up to `index` are in the state machine. What a snapshot has overtaken meanwhile is old news. */
export function onApplied(node: RaftNode, index: LogIndex): void {
  while (node.log.applied < index) {
    const entry = node.log.advanceApplied()
    if (entry.type === ENTRY_CONFIG) switchMembership(node, decodeMembership(entry.data))
  }
  leaveJointIfApplied(node)
  takeOverIfAsked(node)
}

function switchMembership(node: RaftNode, membership: Membership): void {
  const left = isJoint(node.membership) && !isJoint(membership)
  node.membership = membership
  if (node.role !== 'leader') return
  for (const peer of node.tracker.peers) if (!isMember(membership, peer.replica)) sayFarewell(node, peer)
  node.tracker.configure(membership, node.log.last, true)
  node.replicate = true
  if (left) confirmMembership(node)
  if (node.transferee !== NOBODY && !membership.voters.includes(node.transferee)) node.transferee = NOBODY
  // The quorum may have become smaller.
  commitByQuorum(node)
  answerConfirmed(node)
  if (!isVoter(membership, node.self)) abdicate(node)
}
