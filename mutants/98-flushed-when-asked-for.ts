/** An owner flushes only when it has to. */
import { type Mutant, writebackSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'flushed-when-asked-for',
  pitfall: 0,
  harm: 'An owner flushes only when it has to.',
  file: 'src/cache/coherence/owned-lines.ts',
  find: 'if (owned.flushing === null) owned.flushAt = Math.min(owned.flushAt, flushAt)',
  replace: 'owned.flushAt = flushAt + 1_000',
  killedBy: writebackSimulator(1, 60),
}
