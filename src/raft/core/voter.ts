/**
 * Giving votes, which every role does the same way. Membership is not asked for: a learner that has not heard of its
 * promotion must still be able to vote, or the group may never elect again (pitfall 14).
 *
 * Every answer tells what the voter knows to be committed. Without it a group could be stuck for ever:
 *
 *     {A} -> {B}: A leads, the leaving entry L is committed and applied by A, and A crashes before B hears of the commit.
 *     B holds L, but stands by {A}&&{B} still. A holds an entry more than B, so it cannot vote for B; being no voter
 *     any more, it cannot stand itself. By A's refusal B learns that L is committed, and then B alone is the quorum.
 */
import { NOBODY, type LogIndex, type Term } from '../../base/ids.ts'
import type { RaftNode } from './node.ts'
import type { RequestVote } from './types.ts'

/** The term rules have let it through: its term is ours, or it is a pre-vote of a later one. */
export function onRequestVote(node: RaftNode, message: RequestVote): void {
  const free = node.vote === message.from || (node.vote === NOBODY && node.leader === NOBODY)
  const upToDate = node.log.isUpToDate(message.lastIndex, message.lastTerm)
  if (message.preVote) {
    const granted = (free || message.term > node.term) && upToDate && !isStranger(node, message)
    answerVote(node, message, granted)
    return
  }
  const granted = free && upToDate
  if (granted) {
    node.vote = message.from
    node.electionElapsed = 0
  }
  answerVote(node, message, granted)
}

/** A granted pre-vote carries the term it was asked for, everything else our own. */
export function answerVote(node: RaftNode, message: RequestVote, granted: boolean): void {
  const { preVote } = message
  const term = preVote && granted ? message.term : node.term
  const { commit } = node.log
  const commitTerm = node.log.termAt(commit)
  const response = { type: 'vote_response', from: node.self, to: message.from, term, preVote, granted, commit, commitTerm } as const
  // A pre-vote promises nothing.
  if (preVote) node.outbox.send(response)
  else node.outbox.promise(response)
}

/** What is committed anywhere is committed, whatever the terms. A candidate may thereby lose its right to stand (P10). */
export function learnCommit(node: RaftNode, commit: LogIndex, commitTerm: Term): void {
  if (node.role === 'leader' || commit <= node.log.commit || node.log.termAt(commit) !== commitTerm) return
  node.log.commitTo(commit)
  if (node.role !== 'follower' && !node.electable) node.becomeFollower(node.term, NOBODY)
}

/**
 * A removed replica. One whose log holds more than ours may belong by a configuration that we have not seen, and the
 * group may need it: it is not turned away.
 */
function isStranger(node: RaftNode, message: RequestVote): boolean {
  const { log } = node
  if (message.lastTerm > log.lastTerm || (message.lastTerm === log.lastTerm && message.lastIndex > log.last)) return false
  return !node.knows(message.from)
}
