/** A value that counts for those who asked for it is given to those who came later. */
import { type Mutant, cacheSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'once-for-all',
  pitfall: 0,
  harm: 'A value that counts for those who asked for it is given to those who came later.',
  file: 'src/cache/coherence/fetch.ts',
  find: 'const taken = fetch.waiters.slice(0, fetch.asked)\n  fetch.waiters = fetch.waiters.slice(fetch.asked)',
  replace: 'const taken = fetch.waiters\n  fetch.waiters = []',
  killedBy: cacheSimulator(61, 90),
}
