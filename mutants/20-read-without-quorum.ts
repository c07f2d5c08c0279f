/** A leader that was deposed in silence answers reads from its old state. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'read-without-quorum',
  pitfall: 20,
  harm: 'A leader that was deposed in silence answers reads from its old state.',
  file: 'src/raft/core/read-index.ts',
  find: 'if (round === undefined || round.seq > seq) return null',
  replace: 'if (round === undefined || seq < 0) return null',
  killedBy: namedTest('src/raft/core/read-index.test.ts', 'all that waits shares one round, and rounds are answered in order'),
}
