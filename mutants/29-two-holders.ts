/** A lock is granted while somebody holds it. */
import { type Mutant, simulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'two-holders',
  pitfall: 0,
  harm: 'A lock is granted while somebody holds it.',
  file: 'src/lock/acquire.ts',
  find: 'if (lock !== null && isBlocked(lock, mode, vkey, ticket)) return lock',
  replace: 'if (lock !== null && lock.queueLength > 0 && isBlocked(lock, mode, vkey, ticket)) return lock',
  killedBy: simulator(1, 10),
}
