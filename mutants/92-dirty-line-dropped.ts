/** An owner that is asked for its line gives it back without what it has not flushed. */
import { type Mutant, writebackSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'dirty-line-dropped',
  pitfall: 0,
  harm: 'An owner that is asked for its line gives it back without what it has not flushed.',
  file: 'src/cache/coherence/owner.ts',
  find: 'if (!isClean(owned)) return flushNow(this.port, owned)',
  replace: 'owned.dirty = 0',
  killedBy: writebackSimulator(1, 60),
}
