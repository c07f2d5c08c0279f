/** A new leader answers reads before it knows what is committed. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'read-before-commit-in-term',
  pitfall: 18,
  harm: 'A new leader answers reads before it knows what is committed.',
  file: 'src/raft/core/leader.ts',
  find: 'if (!reads.waiting || !node.committedInTerm) return',
  replace: 'if (!reads.waiting) return',
  killedBy: namedTest('test/scenarios/scenarios.test.ts', 'read-before-commit.txt'),
}
