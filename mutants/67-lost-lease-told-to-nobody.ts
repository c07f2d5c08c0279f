/** Nobody is told of a lost lease. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'lost-lease-told-to-nobody',
  pitfall: 0,
  harm: 'Nobody is told of a lost lease.',
  file: 'src/queue/lost-leases.ts',
  find: 'if (at > 0) send',
  replace: 'if (at < 0) send',
  killedBy: queueSimulator(1, 5, 2_000),
}
