/** Credit is spent by the answer, not by the message: a subscriber gets more than it can work on. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'credit-by-frame',
  pitfall: 0,
  harm: 'Credit is spent by the answer, not by the message: a subscriber gets more than it can work on.',
  file: 'src/api/socket/subscription.ts',
  find: 'this.#credit -= messages.length',
  replace: 'this.#credit -= messages.length > 0 ? 1 : 0',
  killedBy: queueSimulator(1, 30),
}
