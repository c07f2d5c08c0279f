/** A machine that was suspended goes on reading copies whose leases are over. */
import { type Mutant, driftSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'suspended-copies',
  pitfall: 0,
  harm: 'A machine that was suspended goes on reading copies whose leases are over.',
  file: 'src/io/suspend-aware-clock.ts',
  find: 'return this.running() + this.#suspendedMs',
  replace: 'return this.running()',
  killedBy: driftSimulator(1, 60),
}
