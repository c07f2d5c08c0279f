/** A node that is stopped does not flush what it wrote alone. */
import { type Mutant, writebackSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'stopped-unflushed',
  pitfall: 0,
  harm: 'A node that is stopped does not flush what it wrote alone.',
  file: 'src/cache/node/partition-copies.ts',
  find: 'this.controller.giveUp(line)\n    return',
  replace: "if (line === '') this.controller.giveUp(line)\n    return",
  killedBy: writebackSimulator(1, 60),
}
