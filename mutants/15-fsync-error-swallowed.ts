/** A write whose fsync failed is taken for durable. */
import { type Mutant, simulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'fsync-error-swallowed',
  pitfall: 15,
  harm: 'A write whose fsync failed is taken for durable.',
  file: 'src/io/wal/writer.ts',
  find: 'await file.writeDurable(this.#offset, [slab])',
  replace: 'await file.writeDurable(this.#offset, [slab]).catch(() => undefined)',
  killedBy: simulator(1, 60),
}
