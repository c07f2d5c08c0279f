/** A node says that its copy is gone while clients have it. */
import { type Mutant, lentSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'acknowledged-while-lent',
  pitfall: 0,
  harm: 'A node says that its copy is gone while clients have it.',
  file: 'src/cache/coherence/controller.ts',
  find: 'if (this.lent.callBack(line, { to: from, t }, this.session.epoch)) return',
  replace: 'this.lent.callBack(line, null, this.session.epoch)',
  killedBy: lentSimulator(1, 30),
}
