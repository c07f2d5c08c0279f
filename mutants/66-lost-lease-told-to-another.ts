/** Who is told of a lost lease is whoever asked last. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'lost-lease-told-to-another',
  pitfall: 0,
  harm: 'Who is told of a lost lease is whoever asked last.',
  file: 'src/queue/lost-leases.ts',
  find: '${++last}',
  replace: '${last}',
  killedBy: queueSimulator(1, 30),
}
