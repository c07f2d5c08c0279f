/** Leases are given as if what tags have killed were told at once: copies of it are served for as long as its sweep takes. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'leases-in-spite-of-sweeps',
  pitfall: 0,
  harm: 'Leases are given as if what tags have killed were told at once: copies of it are served for as long as its sweep takes.',
  file: 'src/cache/watch/stream.ts',
  find: 'Math.min(freshAt - lagMs, at)',
  replace: 'freshAt',
  killedBy: namedTest(
    'src/cache/watch/invalidations.test.ts',
    'what a tag kills is told as it is swept: of all nothing later than the invalidation is certain',
  ),
}
