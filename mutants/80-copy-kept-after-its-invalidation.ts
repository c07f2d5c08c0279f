/** A copy is kept though its invalidation was acknowledged. */
import { type Mutant, cacheSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'copy-kept-after-its-invalidation',
  pitfall: 0,
  harm: 'A copy is kept though its invalidation was acknowledged.',
  file: 'src/cache/coherence/controller.ts',
  find: "      this.copies.delete(line)\n    }\n    this.port.send(from, { type: 'invAck'",
  replace: "    }\n    this.port.send(from, { type: 'invAck'",
  killedBy: cacheSimulator(1, 30),
}
