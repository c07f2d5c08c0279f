/** An owner gives the same version to all that it writes. */
import { type Mutant, writebackSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'owner-repeats-its-version',
  pitfall: 0,
  harm: 'An owner gives the same version to all that it writes.',
  file: 'src/cache/coherence/owned-lines.ts',
  find: '  owned.next += 1\n',
  replace: '\n',
  killedBy: writebackSimulator(1, 60),
}
