/** Who came further than its gateway is reset for what only that has missed. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'missed-by-one-missed-by-all',
  pitfall: 0,
  harm: 'Who came further than its gateway is reset for what only that has missed.',
  file: 'src/cache/watch/stream.ts',
  find: '    if (part.place > since) return void this.#catchUp(part, this.#flow)\n',
  replace: '',
  killedBy: namedTest('src/cache/watch/invalidations.test.ts', 'what the gateway has missed is not missed by who came further elsewhere'),
}
