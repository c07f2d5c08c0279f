/** What an owner writes while a flush is under way counts as flushed with it. */
import { type Mutant, writebackSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'written-while-flushed',
  pitfall: 0,
  harm: 'What an owner writes while a flush is under way counts as flushed with it.',
  file: 'src/cache/coherence/owner.ts',
  find: 'if (isCommitted) owned.flushing = null',
  replace: 'if (isCommitted) owned.dirty = Number((owned.flushing = null) !== null)',
  killedBy: writebackSimulator(1, 60),
}
