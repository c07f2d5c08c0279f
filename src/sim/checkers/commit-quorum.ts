/**
 * What a leader counts as committed is, or was until a disk was lost, on the platters of a majority, of both halves of a
 * joint configuration, and is of its own term (thesis 3.6.2, figure 3.7). Looked at when the commit index moves under a
 * leader.
 */
import type { ReplicaId } from '../../base/ids.ts'
import { type Checker, type Seen, violated } from './checker.ts'

/** True if a majority of `voters` durably hold the same entry at `index`. */
function onMajority({ logs, group }: Seen, voters: readonly ReplicaId[], index: number): boolean {
  if (voters.length === 0) return true
  const copies = new Map<string, number>()
  let covered = 0
  for (const voter of voters) {
    // Its acknowledgement may be heard after its disk was lost: it was true, and one lost disk is what a majority is for.
    const log = logs.ofReplica(group, voter)
    if (!log) continue
    const entry = log.entries.get(index)
    if (entry) copies.set(`${entry.term}/${entry.digest}`, (copies.get(`${entry.term}/${entry.digest}`) ?? 0) + 1)
    else if (log.holds(index)) covered++
  }
  return Math.max(0, ...copies.values()) + covered > voters.length / 2
}

export function commitOnQuorum(): Checker {
  return {
    seen(seen) {
      const { node, group, status, before, log } = seen
      if (status.role !== 'leader' || before?.role !== 'leader' || before.term !== status.term) return
      if (status.commit === before.commit) return
      // A change of membership is committed under the membership before it, and in force from then on: in this very event.
      const inForce = [before.membership, status.membership]
      if (!inForce.some(({ voters, outgoing }) => onMajority(seen, voters, status.commit) && onMajority(seen, outgoing, status.commit))) {
        violated('commit on a quorum', group, `${node} committed ${status.commit}, which no majority holds durably`)
      }
      const term = log?.termAt(status.commit) ?? status.term
      if (term !== status.term)
        violated('commit in the own term', group, `${node} of term ${status.term} committed ${status.commit} of term ${term}`)
    },
  }
}
