/** Who came further than its gateway is reset for what only that has missed. */
import { type Mutant, cacheSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'missed-by-one-missed-by-all',
  pitfall: 0,
  harm: 'Who came further than its gateway is reset for what only that has missed.',
  file: 'src/cache/watch/stream.ts',
  find: '    if (part.place > since) return void this.#catchUp(part, this.#flow)\n',
  replace: '',
  killedBy: cacheSimulator(1, 60),
}
