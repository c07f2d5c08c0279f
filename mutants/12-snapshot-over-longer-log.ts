/** A snapshot that the log already runs through replaces it, and acknowledged entries are gone. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'snapshot-over-longer-log',
  pitfall: 11,
  harm: 'A snapshot that the log already runs through replaces it, and acknowledged entries are gone.',
  file: 'src/raft/core/follower.ts',
  find: 'if (log.termAt(snapshot.index) === snapshot.term) {',
  replace: 'if (snapshot.index < 0) {',
  killedBy: namedTest('test/scenarios/scenarios.test.ts', 'snapshot-onto-longer-log.txt'),
}
