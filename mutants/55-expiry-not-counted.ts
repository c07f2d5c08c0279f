/** A lease that runs out does not count: a message that nobody finishes is delivered without end, as if for the first time. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'expiry-not-counted',
  pitfall: 0,
  harm: 'A lease that runs out does not count: a message that nobody finishes is delivered without end, as if for the first time.',
  file: 'src/queue/expiry.ts',
  find: 'delayMs: null, counts: true }',
  replace: 'delayMs: null, counts: false }',
  killedBy: queueSimulator(1, 30),
}
