/**
 * The candidate, and the pre-candidate before it (thesis 9.6): first it asks whether it would win, without touching a
 * term, so that a replica which comes back from a partition or was removed disturbs nobody.
 *
 *     follower ──timeout──> precandidate ──quorum would──> candidate ──quorum did──> leader
 *         <────────────────── lost, or a leader was heard ──────┘
 *
 * Vote requests and the vote for itself wait for the new term to be durable (P1): the own vote comes back by `step`.
 */
import { NOBODY, type ReplicaId } from '../../base/ids.ts'
import { becomeLeader } from './leader.ts'
import { votersOf } from './membership.ts'
import type { RaftNode } from './node.ts'
import { jointTally } from './quorum.ts'
import type { RequestVote, VoteResponse } from './types.ts'
import { answerVote, learnCommit } from './voter.ts'

/** Stands for election, if it may. `transfer`: the leader asked for it, so nobody needs to be asked first. */
export function campaign(node: RaftNode, transfer: boolean): void {
  if (node.role === 'leader' || !node.electable) return
  if (transfer) {
    startElection(node, true)
    return
  }
  // The leader's lease counts on this replica too.
  if (node.options.leaseReads && node.leaseProtected) return
  startPreVote(node)
}

export function onVoteResponse(node: RaftNode, message: VoteResponse): void {
  learnCommit(node, message.commit, message.commitTerm)
  if (node.role !== (message.preVote ? 'precandidate' : 'candidate')) return
  // A grant of a pre-vote carries the term that would be campaigned in.
  if (message.preVote && message.granted && message.term !== node.term + 1) return
  if (!node.votes.has(message.from)) node.votes.set(message.from, message.granted)
  countVotes(node)
}

function startPreVote(node: RaftNode): void {
  node.role = 'precandidate'
  stand(node)
  node.votes.set(node.self, true)
  for (const voter of votersOf(node.membership)) {
    if (voter !== node.self) node.outbox.send(voteRequest(node, voter, true, false))
  }
  countVotes(node)
}

function startElection(node: RaftNode, transfer: boolean): void {
  node.role = 'candidate'
  node.setTerm(node.term + 1)
  node.vote = node.self
  stand(node)
  for (const voter of votersOf(node.membership)) {
    if (voter !== node.self) node.outbox.promise(voteRequest(node, voter, false, transfer))
  }
  answerVote(node, voteRequest(node, node.self, false, transfer), true)
}

function stand(node: RaftNode): void {
  node.resetElectionTimer()
  node.setLeader(NOBODY)
  node.votes.clear()
}

function voteRequest(node: RaftNode, to: ReplicaId, preVote: boolean, transfer: boolean): RequestVote {
  return {
    type: 'request_vote',
    from: node.self,
    to,
    term: preVote ? node.term + 1 : node.term,
    preVote,
    lastIndex: node.log.last,
    lastTerm: node.log.lastTerm,
    transfer,
  }
}

function countVotes(node: RaftNode): void {
  const result = jointTally(node.membership.voters, node.membership.outgoing, node.votes)
  if (result === 'lost') node.becomeFollower(node.term, NOBODY)
  if (result !== 'won') return
  if (node.role === 'precandidate') startElection(node, false)
  else becomeLeader(node)
}
