/** A member is declared gone on the word of a leader from before its coming: a group loses a voter that is switched off. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'left-by-hearsay',
  pitfall: 13,
  harm: 'A member is declared gone on the word of a leader from before its coming: a group loses a voter that is switched off.',
  file: 'src/cluster/status.ts',
  find: 'filter((answer) => answer.epoch >= epoch)',
  replace: 'filter((answer) => answer.epoch >= 0)',
  killedBy: namedTest('src/cluster/status.test.ts', 'rests on what was said with the present table at hand'),
}
