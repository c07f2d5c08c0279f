/** A new home speaks while copies that an older one granted may be read. */
import { type Mutant, cacheSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'new-home-speaks-at-once',
  pitfall: 0,
  harm: 'A new home speaks while copies that an older one granted may be read.',
  file: 'src/cache/coherence/home-opening.ts',
  find: 'missing(home).length > 0) return',
  replace: 'missing(home).length < 0) return',
  killedBy: cacheSimulator(1, 60),
}
