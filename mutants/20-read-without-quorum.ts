/** A leader that was deposed in silence answers reads from its old state. */
import { type Mutant, simulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'read-without-quorum',
  pitfall: 20,
  harm: 'A leader that was deposed in silence answers reads from its old state.',
  file: 'src/raft/core/read-index.ts',
  find: 'if (round === undefined || round.seq > seq) return null',
  replace: 'if (round === undefined || seq < 0) return null',
  killedBy: simulator(1, 60),
}
