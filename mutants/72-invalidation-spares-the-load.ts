/** A key is invalidated while it is loaded, and what was loaded is taken all the same. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'invalidation-spares-the-load',
  pitfall: 0,
  harm: 'A key is invalidated while it is loaded, and what was loaded is taken all the same.',
  file: 'src/cache/machine/invalidate.ts',
  find: '    gate.push(version > 0 ? version : line)\n    passOn(table, ctx, line)',
  replace: '    gate.push(version > 0 ? version : line)',
  killedBy: namedTest('src/cache/machine/model.test.ts', 'the machine and the naive model cannot be told apart'),
}
