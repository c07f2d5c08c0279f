/**
 * What was applied anywhere is the history of the group, and nothing else ever is (state machine safety, thesis 3.6.3).
 * The checkers of leaders and of durable copies ask the history what was committed.
 */
import type { GroupId, LogIndex, Term } from '../../base/ids.ts'
import { type Checker, type Seen, violated } from './checker.ts'

export interface CommittedEntry {
  readonly term: Term
  readonly digest: number
  readonly by: string
}

/** Per group, what was applied at each index. */
export class History {
  readonly #groups = new Map<GroupId, Map<LogIndex, CommittedEntry>>()
  readonly #last = new Map<GroupId, LogIndex>()

  of(group: GroupId): Map<LogIndex, CommittedEntry> {
    let entries = this.#groups.get(group)
    if (!entries) this.#groups.set(group, (entries = new Map()))
    return entries
  }

  last(group: GroupId): LogIndex {
    return this.#last.get(group) ?? 0
  }

  add(group: GroupId, index: LogIndex, entry: CommittedEntry): void {
    this.of(group).set(index, entry)
    this.#last.set(group, Math.max(this.last(group), index))
  }
}

export function committed(history: History): Checker {
  const check = ({ node, group, log }: Seen, index: LogIndex): void => {
    if (!log || index <= log.snapshotIndex) return
    const entry = log.entries.get(index)
    if (!entry) violated('applied before durable (P9)', group, `${node} applied ${index}, which its disk does not hold`)
    const known = history.of(group).get(index)
    if (!known) history.add(group, index, { term: entry.term, digest: entry.digest, by: node })
    else if (known.term !== entry.term || known.digest !== entry.digest) {
      const theirs = `term ${known.term} on ${known.by}`
      violated('state machine safety', group, `entry ${index} is of term ${entry.term} on ${node} and was applied as of ${theirs}`)
    }
  }
  /** Up to where each life of each replica was looked at. */
  const looked = new Map<string, LogIndex>()
  return {
    seen(seen) {
      const { node, life, group, replica, status, log } = seen
      // While a snapshot is being taken in, the core speaks of a state that nobody can see yet.
      if (!status.serving) return
      const key = `${node}/${life}/${group}/${replica}`
      // The first sight of a life: what it has applied came out of its store, or was applied just now.
      const from = looked.get(key) ?? Math.max(status.checkpointed, log?.snapshotIndex ?? 0)
      looked.set(key, status.applied)
      for (let index = from + 1; index <= status.applied; index++) check(seen, index)
    },
  }
}
