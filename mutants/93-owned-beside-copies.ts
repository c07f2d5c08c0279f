/** A home gives a line to an owner while others hold copies of it. */
import { type Mutant, writebackSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'owned-beside-copies',
  pitfall: 0,
  harm: 'A home gives a line to an owner while others hold copies of it.',
  file: 'src/cache/coherence/home-owners.ts',
  find: "if (next === undefined || invalidate(home, id, line, 'put', now) !== null) return",
  replace: 'if (next === undefined) return',
  killedBy: writebackSimulator(1, 60),
}
