/** A leader that sleeps answers those who ask again without being heard: they doubt it, and elect another every five seconds. */
import { type Mutant, quietSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'waits-unseat-the-sleeper',
  pitfall: 0,
  harm: 'A leader that sleeps answers those who ask again without being heard: they doubt it, and elect another every five seconds.',
  file: 'src/raft/host/intake.ts',
  find: '    if (propose.repeat) this.#reassure()\n',
  replace: '',
  killedBy: quietSimulator(1, 8),
}
