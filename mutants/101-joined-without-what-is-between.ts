/** Who comes back hears what the others hear from then on, and nothing of what was before. */
import { type Mutant, cacheSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'joined-without-what-is-between',
  pitfall: 0,
  harm: 'Who comes back hears what the others hear from then on, and nothing of what was before.',
  file: 'src/cache/watch/stream.ts',
  find: 'part.joined = part.watch.place !== null && part.place >= part.watch.place',
  replace: 'part.joined = part.watch.place !== null',
  killedBy: cacheSimulator(1, 30),
}
