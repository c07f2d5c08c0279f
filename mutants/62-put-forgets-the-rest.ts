/** A change of one setting gives all others their defaults. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'put-forgets-the-rest',
  pitfall: 0,
  harm: 'A change of one setting gives all others their defaults.',
  file: 'src/queue/upkeep.ts',
  find: 'merge(queue?.config ?? defaultConfig(name), config)',
  replace: 'merge(defaultConfig(name), config)',
  killedBy: queueSimulator(1, 30),
}
