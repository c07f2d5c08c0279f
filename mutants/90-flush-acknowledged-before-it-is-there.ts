/** What an owner flushes counts as flushed before it is in the log: whoever asks next is told what was before. */
import { type Mutant, writebackSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'flush-acknowledged-before-it-is-there',
  pitfall: 0,
  harm: 'What an owner flushes counts as flushed before it is in the log: whoever asks next is told what was before.',
  file: 'src/cache/node/flushes.ts',
  find: 'this.#submit(partition, what).then(committed, failed)',
  replace: 'this.#submit(partition, what).catch(failed)\n      committed()',
  killedBy: writebackSimulator(1, 60),
}
