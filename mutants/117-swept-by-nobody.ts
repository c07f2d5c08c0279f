/** Where whoever invalidated a tag is gone, nobody sweeps what it killed: clients with copies of their own never hear of it. */
import { type Mutant, cacheSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'swept-by-nobody',
  pitfall: 0,
  harm: 'Where whoever invalidated a tag is gone, nobody sweeps what it killed: clients with copies of their own never hear of it.',
  file: 'src/cache/node/home-sweeps.ts',
  find: 'const PATIENCE_MS: Millis = 2_000',
  replace: 'const PATIENCE_MS: Millis = Infinity',
  killedBy: cacheSimulator(156, 156),
}
