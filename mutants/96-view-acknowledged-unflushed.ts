/** An owner lets a new home speak before what it wrote is flushed: a failover loses it. */
import { type Mutant, writebackSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'view-acknowledged-unflushed',
  pitfall: 0,
  harm: 'An owner lets a new home speak before what it wrote is flushed: a failover loses it.',
  file: 'src/cache/coherence/owner.ts',
  find: 'if (this.lines.hasOthersThan(this.session.epoch)) return',
  replace: 'if (this.lines.size < 0) return',
  killedBy: writebackSimulator(1, 60),
}
