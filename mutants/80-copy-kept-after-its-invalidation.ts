/** A copy is kept though its invalidation was acknowledged. */
import { type Mutant, cacheSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'copy-kept-after-its-invalidation',
  pitfall: 0,
  harm: 'A copy is kept though its invalidation was acknowledged.',
  file: 'src/cache/coherence/controller.ts',
  find: '      this.copies.delete(line)\n    }\n    if (this.lent.callBack(',
  replace: '    }\n    if (this.lent.callBack(',
  killedBy: cacheSimulator(1, 30),
}
