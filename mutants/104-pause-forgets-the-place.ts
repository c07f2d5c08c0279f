/** Who reads again after a pause is told again what it was told. */
import { type Mutant, cacheSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'pause-forgets-the-place',
  pitfall: 0,
  harm: 'Who reads again after a pause is told again what it was told.',
  file: 'src/cache/watch/stream.ts',
  find: '      part.place = placeOf(part)\n',
  replace: '',
  killedBy: cacheSimulator(1, 60),
}
