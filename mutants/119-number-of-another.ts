/** Who is not known here counts on from the number that it came with: two that begin with 0 are taken for one another when they come back. */
import { type Mutant, cacheSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'number-of-another',
  pitfall: 0,
  harm: 'Who is not known here counts on from the number that it came with: two that begin with 0 are taken for one another when they come back.',
  file: 'src/api/socket/past-subscriptions.ts',
  find: '      const seq = this.firstSeq()',
  replace: '      const seq = from ?? this.firstSeq()',
  killedBy: cacheSimulator(1, 30),
}
