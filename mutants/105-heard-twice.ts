/** Who came further than its gateway hears it all again. */
import { type Mutant, cacheSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'heard-twice',
  pitfall: 0,
  harm: 'Who came further than its gateway hears it all again.',
  file: 'src/cache/watch/stream.ts',
  find: '!part.joined || at <= part.place',
  replace: '!part.joined',
  killedBy: cacheSimulator(1, 60),
}
