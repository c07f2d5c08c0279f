/** How lately an entry was used is not recorded: a replica made of records evicts others. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'use-not-recorded',
  pitfall: 0,
  harm: 'How lately an entry was used is not recorded: a replica made of records evicts others.',
  file: 'src/cache/machine/table.ts',
  find: '    this.changes.touched(entry.use)\n',
  replace: '',
  killedBy: namedTest('src/cache/machine/machine.test.ts', 'a use counts for a replica made of records too'),
}
