/** A client whose connection is gone counts as one that reads nothing any more. */
import { type Mutant, lentSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'gone-and-not-waited-for',
  pitfall: 0,
  harm: 'A client whose connection is gone counts as one that reads nothing any more.',
  file: 'src/api/socket/lent-subscription.ts',
  find: 'this.#borrowing.end(isLeft)',
  replace: 'this.#borrowing.end(isLeft || true)',
  killedBy: lentSimulator(1, 30),
}
