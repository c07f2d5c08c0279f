/** At most one leader per term (thesis 3.2, figure 3.2). Catches double votes, lost votes and votes counted twice. */
import type { GroupId, NodeId, ReplicaId, Term } from '../../base/ids.ts'
import { type Checker, violated } from './checker.ts'

export function electionSafety(): Checker {
  const leaders = new Map<string, { readonly replica: ReplicaId; readonly node: NodeId }>()
  const keyOf = (group: GroupId, term: Term): string => `${group}/${term}`
  return {
    seen({ node, group, replica, status }) {
      if (status.role !== 'leader') return
      const known = leaders.get(keyOf(group, status.term))
      if (known === undefined) leaders.set(keyOf(group, status.term), { replica, node })
      else if (known.replica !== replica) {
        violated('election safety', group, `term ${status.term} has two leaders, ${known.node} and ${node}`)
      }
    },
  }
}
