/** The cursor of who does not read is that of those who do: what it did not hear is skipped when it comes back. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'place-of-the-others',
  pitfall: 0,
  harm: 'The cursor of who does not read is that of those who do: what it did not hear is skipped when it comes back.',
  file: 'src/cache/watch/stream.ts',
  find: 'return joined ? Math.max(place, watch.place ?? 0) : place',
  replace: 'return Math.max(place, watch.place ?? 0)',
  killedBy: namedTest('src/cache/watch/invalidations.test.ts', 'nothing is left out and nothing told twice, whatever is lost on the way'),
}
