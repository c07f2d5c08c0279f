/**
 * What a message of another term does to ours (5.1), in one place. Nothing else in the core compares terms of messages.
 *
 *     later    it makes us a follower in that term, except
 *              - a vote request while we hear from a leader: ignored (section 6; a transfer is exempt)
 *              - a pre-vote request and a granted pre-vote: they speak of a term that nobody is in yet
 *     earlier  its sender is told of our term where it waits for an answer, and the message is dropped; a commit index that
 *              comes with a vote is as true as ever
 */
import { NOBODY } from '../../base/ids.ts'
import { READ_REFUSED, type RaftNode } from './node.ts'
import type { PeerMessage } from './types.ts'
import { answerVote, learnCommit } from './voter.ts'

/** False: the message is dealt with. */
export function admit(node: RaftNode, message: PeerMessage): boolean {
  if (message.term === node.term) return true
  if (message.term < node.term) {
    tellOfOurTerm(node, message)
    return false
  }
  return admitLater(node, message)
}

function admitLater(node: RaftNode, message: PeerMessage): boolean {
  if (message.type === 'request_vote') {
    if (!message.transfer && node.leaseProtected) {
      if (message.preVote) answerVote(node, message, false)
      return false
    }
    if (message.preVote) return true
  }
  if (message.type === 'vote_response' && message.preVote && message.granted) return true
  node.becomeFollower(message.term, isOfLeader(message) ? message.from : NOBODY)
  return true
}

function isOfLeader(message: PeerMessage): boolean {
  return message.type === 'append_entries' || message.type === 'heartbeat' || message.type === 'install_snapshot'
}

/** A leader that was away steps down on the answer; without it, and with pre-votes, it could be stuck below us for ever. */
function tellOfOurTerm(node: RaftNode, message: PeerMessage): void {
  if (message.type === 'request_vote') answerVote(node, message, false)
  if (message.type === 'vote_response') learnCommit(node, message.commit, message.commitTerm)
  if (message.type === 'read_index') node.answerRead(message.from, message.readId, READ_REFUSED)
  if (!isOfLeader(message)) return
  node.outbox.promise({
    type: 'append_response',
    from: node.self,
    to: message.from,
    term: node.term,
    index: 0,
    reject: true,
    hintIndex: 0,
    hintTerm: 0,
  })
}
