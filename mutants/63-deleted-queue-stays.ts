/** A deleted queue is only emptied: its ids, its settings and its tokens are those of the queue that is made after it. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'deleted-queue-stays',
  pitfall: 0,
  harm: 'A deleted queue is only emptied: its ids, its settings and its tokens are those of the queue that is made after it.',
  file: 'src/queue/upkeep.ts',
  find: '  table.drop(queue)\n',
  replace: '',
  killedBy: queueSimulator(1, 30),
}
