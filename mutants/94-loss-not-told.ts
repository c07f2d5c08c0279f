/** An owner that lost what it wrote does not say so. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'loss-not-told',
  pitfall: 0,
  harm: 'An owner that lost what it wrote does not say so.',
  file: 'src/cache/coherence/owner.ts',
  find: 'if (count > 0) this.port.lost(owned.line, count)',
  replace: 'if (count < 0) this.port.lost(owned.line, count)',
  killedBy: namedTest('src/cache/node/owned.test.ts', 'what is refused is told as lost once, with what was written since it was sent'),
}
