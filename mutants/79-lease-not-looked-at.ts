/** A copy is read after its session is over. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'lease-not-looked-at',
  pitfall: 0,
  harm: 'A copy is read after its session is over.',
  file: 'src/cache/coherence/controller.ts',
  find: 'return copy.epoch === session.epoch && now < session.leaseUntil',
  replace: 'return copy.epoch === session.epoch',
  killedBy: namedTest('src/cache/coherence/lease.test.ts', 'a copy is not read after its lease, though nothing has ticked since'),
}
