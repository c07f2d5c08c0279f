/** A node asks for a line before what it wrote of it under an older session is flushed. */
import { type Mutant, writebackSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'asked-for-before-it-is-flushed',
  pitfall: 0,
  harm: 'A node asks for a line before what it wrote of it under an older session is flushed.',
  file: 'src/cache/coherence/controller.ts',
  find: 'if (session.sid === 0 || this.owner.isLeftOver(line)) {',
  replace: 'if (session.sid === 0) {',
  killedBy: writebackSimulator(101, 150),
}
