/**
 * A restart finds everything that was durable: each entry, the term, and the vote of that term (P1, P2, P3). Bytes that
 * rotted may make a replica damaged, never different.
 */
import type { NodeId } from '../../base/ids.ts'
import type { DurableGroup } from '../durable-log.ts'
import { type Checker, violated } from './checker.ts'

export function recovery(isRotten: (node: NodeId) => boolean): Checker {
  const missing = (before: DurableGroup, after: DurableGroup): string | null => {
    if (after.term < before.term) return `term ${before.term} became ${after.term}`
    if (after.term === before.term && before.vote !== 0 && after.vote !== before.vote) return `vote ${before.vote} became ${after.vote}`
    for (const [index, entry] of before.entries) {
      if (index <= after.snapshotIndex) continue
      const found = after.entries.get(index)
      // A later batch, whole on the platter though nobody was told, may have replaced it by an entry of a later term.
      if (!found && after.last >= index) return `entry ${index} became a hole`
      if (!found && after.term === before.term) return `entry ${index} is gone`
      if (found && found.term === entry.term && found.digest !== entry.digest) return `entry ${index} became another of its term`
      if (found && found.term < entry.term) return `entry ${index} of term ${entry.term} became one of term ${found.term}`
    }
    return null
  }
  return {
    damaged(node, group) {
      if (!isRotten(node)) violated('recovery', group, `${node} found its replica damaged, and nothing had rotted`)
    },
    recovered(node, group, before, after) {
      if (after === null) {
        if (!isRotten(node)) violated('recovery', group, `${node} lost its replica, and nothing had rotted`)
        return
      }
      if (after.replica !== before.replica) violated('recovery', group, `${node} came back as another replica`)
      const lost = missing(before, after)
      if (lost !== null) violated('recovery', group, `${node} was restarted, and ${lost}`)
    },
  }
}
