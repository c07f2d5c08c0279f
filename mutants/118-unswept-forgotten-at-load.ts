/** A replica that starts from its records does not know what is to be swept: as the home it does not sweep it. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'unswept-forgotten-at-load',
  pitfall: 0,
  harm: 'A replica that starts from its records does not know what is to be swept: as the home it does not sweep it.',
  file: 'src/cache/machine/records.ts',
  find: 'if (record.unsweptSince > 0)',
  replace: 'if (record.unsweptSince < 0)',
  killedBy: namedTest(
    'src/cache/machine/machine.test.ts',
    'what was invalidated is to be swept until somebody says that it is; on a copy, too',
  ),
}
