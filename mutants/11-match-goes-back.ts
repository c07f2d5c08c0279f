/** An old acknowledgement takes back what was acknowledged since. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'match-goes-back',
  pitfall: 9,
  harm: 'An old acknowledgement takes back what was acknowledged since.',
  file: 'src/raft/core/progress.ts',
  find: 'if (index <= this.match) return false\n    this.match = index',
  replace: 'if (index === this.match) return false\n    this.match = index',
  killedBy: namedTest('src/raft/core/progress.test.ts', 'match never falls and stays below next'),
}
