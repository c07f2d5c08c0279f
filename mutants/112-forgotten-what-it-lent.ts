/** A node that begins another life does not wait for what it lent in the one before. */
import { type Mutant, lentSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'forgotten-what-it-lent',
  pitfall: 0,
  harm: 'A node that begins another life does not wait for what it lent in the one before.',
  file: 'src/cache/node/lend-mark.ts',
  find: 'quietUntil: isSet ? clock.now() + BORROWERS_DEFAULTS.lentMs : -Infinity',
  replace: 'quietUntil: -Infinity',
  killedBy: lentSimulator(1, 30),
}
