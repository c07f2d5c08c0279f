/** What a client is told counts as acknowledged before it has obeyed. */
import { type Mutant, lentSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'acknowledged-as-it-is-told',
  pitfall: 0,
  harm: 'What a client is told counts as acknowledged before it has obeyed.',
  file: 'src/api/socket/lent-subscription.ts',
  find: 'this.#told.push({ seq, n })',
  replace: 'void this.#borrowing?.beat(n, 1_000)',
  killedBy: lentSimulator(1, 30),
}
