/** A full queue takes one more. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'one-too-many',
  pitfall: 0,
  harm: 'A full queue takes one more.',
  file: 'src/queue/room.ts',
  find: 'count - maxLength)',
  replace: 'count - maxLength - 1)',
  killedBy: queueSimulator(1, 30),
}
