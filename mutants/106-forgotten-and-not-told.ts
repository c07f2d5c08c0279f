/** A home that does not remember what changed says that nothing did. */
import { type Mutant, cacheSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'forgotten-and-not-told',
  pitfall: 0,
  harm: 'A home that does not remember what changed says that nothing did.',
  file: 'src/cache/machine/journal.ts',
  find: '    if (at < this.#base) return null\n',
  replace: '',
  killedBy: cacheSimulator(1, 60),
}
