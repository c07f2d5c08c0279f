/** What is given back goes behind everything that is ready in its group. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'nack-to-the-tail',
  pitfall: 0,
  harm: 'What is given back goes behind everything that is ready in its group.',
  file: 'src/queue/lane.ts',
  find: 'return note !== null && (this.runs.size === 0 || note.seq < this.runs.first) ? note : null',
  replace: 'return note !== null && this.runs.size === 0 ? note : null',
  killedBy: queueSimulator(1, 60),
}
