/** The marks of a replica are in order: checkpointed <= applied <= commit <= last, and applied <= durable (P9). */
import { type Checker, violated } from './checker.ts'

export function ordering(): Checker {
  return {
    seen({ node, group, status }) {
      // A core that waits for its snapshot speaks of marks that are not its own yet.
      if (!status.serving) return
      const { checkpointed, applied, commit, durable, last, first } = status
      const ordered = checkpointed <= applied && applied <= commit && commit <= last && applied <= durable && durable <= last
      if (ordered && first <= last + 1) return
      const marks = `first ${first} checkpointed ${checkpointed} applied ${applied} commit ${commit} durable ${durable} last ${last}`
      violated('ordering', group, `${node}: ${marks}`)
    },
  }
}
