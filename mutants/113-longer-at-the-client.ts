/** A client is told of a lease that lasts longer than its node waits for. */
import { type Mutant, lentSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'longer-at-the-client',
  pitfall: 0,
  harm: 'A client is told of a lease that lasts longer than its node waits for.',
  file: 'src/cache/coherence/borrowers.ts',
  find: 'return Math.floor(((leftMs - marginMs) * (1 - drift)) / (1 + drift))',
  replace: 'return Math.floor(leftMs + 500 * (1 + drift) + marginMs)',
  killedBy: lentSimulator(1, 30),
}
