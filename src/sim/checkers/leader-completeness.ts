/** A new leader has every committed entry (thesis 3.6.3). Looked at when it begins to lead, on its platter (P1). */
import { type Checker, violated } from './checker.ts'
import type { History } from './committed.ts'

export function leaderCompleteness(history: History): Checker {
  return {
    seen({ node, group, status, before, log }) {
      if (status.role !== 'leader' || (before?.role === 'leader' && before.term === status.term)) return
      for (const [index, entry] of history.of(group)) {
        if (!log || index <= log.snapshotIndex) continue
        const own = log.entries.get(index)
        if (own && own.term === entry.term && own.digest === entry.digest) continue
        // Committed under a later leader while this one's election was on its way: not its business.
        if (entry.term >= status.term) continue
        violated('leader completeness', group, `${node} leads term ${status.term} without committed entry ${index} of term ${entry.term}`)
      }
    },
  }
}
