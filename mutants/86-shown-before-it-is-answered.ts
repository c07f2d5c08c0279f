/** While copies of the old value live, who asks is shown the new one. */
import { type Mutant, cacheSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'shown-before-it-is-answered',
  pitfall: 0,
  harm: 'While copies of the old value live, who asks is shown the new one.',
  file: 'src/cache/coherence/home-lines.ts',
  find: 'held: heldBefore(line.busy, now) ?? port.read(id)',
  replace: 'held: port.read(id)',
  killedBy: cacheSimulator(1, 60),
}
