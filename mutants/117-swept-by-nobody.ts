/** Where whoever invalidated a tag is gone, nobody sweeps what it killed: clients with copies of their own never hear of it. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'swept-by-nobody',
  pitfall: 0,
  harm: 'Where whoever invalidated a tag is gone, nobody sweeps what it killed: clients with copies of their own never hear of it.',
  file: 'src/cache/node/home-sweeps.ts',
  find: 'const PATIENCE_MS: Millis = 2_000',
  replace: 'const PATIENCE_MS: Millis = Infinity',
  killedBy: namedTest('src/cache/node/home-sweeps.test.ts', 'that nobody sweeps is swept by the home, on all partitions'),
}
