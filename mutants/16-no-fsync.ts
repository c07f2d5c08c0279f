/** The log is written and never synced. */
import { type Mutant, simulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'no-fsync',
  pitfall: 17,
  harm: 'The log is written and never synced.',
  file: 'src/io/wal/writer.ts',
  find: 'await file.writeDurable(this.#offset, [slab])',
  replace: 'await file.write(this.#offset, [slab])',
  killedBy: simulator(1, 10),
}
