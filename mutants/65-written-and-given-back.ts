/** What was written goes back when the connection ends, though its reader works on it. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'written-and-given-back',
  pitfall: 0,
  harm: 'What was written goes back when the connection ends, though its reader works on it.',
  file: 'src/api/socket/subscriptions.ts',
  find: 'if (this.#unwritten.length > 0) this.#unwritten = []',
  replace: 'return',
  killedBy: queueSimulator(1, 30),
}
