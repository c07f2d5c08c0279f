/** A message that was delivered too often is gone, and nobody can look at it. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'dead-letter-dropped',
  pitfall: 0,
  harm: 'A message that was delivered too often is gone, and nobody can look at it.',
  file: 'src/queue/come-back.ts',
  find: 'return queue.move(note, DEAD, now)',
  replace: 'return queue.remove(note, now)',
  killedBy: queueSimulator(1, 30),
}
