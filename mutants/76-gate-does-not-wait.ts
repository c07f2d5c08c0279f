/** A write is answered while nodes serve what was before. */
import { type Mutant, cacheSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'gate-does-not-wait',
  pitfall: 0,
  harm: 'A write is answered while nodes serve what was before.',
  file: 'src/cache/node/partition-home.ts',
  find: '    if (waits.size === 0) return null\n',
  replace: '    if (waits.size >= 0) return null\n',
  killedBy: cacheSimulator(1, 30),
}
