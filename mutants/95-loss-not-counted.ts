/** What an owner lost is not in the metric. */
import { type Mutant, cutOwnerSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'loss-not-counted',
  pitfall: 0,
  harm: 'What an owner lost is not in the metric.',
  file: 'src/cache/node/coherence.ts',
  find: '    this.lostWrites += count\n',
  replace: '\n',
  killedBy: cutOwnerSimulator(1, 60),
}
