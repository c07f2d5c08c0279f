/** A change of membership is over though only the leader remembers it: voters that are still needed are switched off. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'change-over-before-remembered',
  pitfall: 13,
  harm: 'A change of membership is over though only the leader remembers it: voters that are still needed are switched off.',
  file: 'src/raft/core/apply.ts',
  find: 'if (left) confirmMembership(node)',
  replace: '',
  killedBy: namedTest('test/scenarios/scenarios.test.ts', 'change-is-remembered.txt'),
}
