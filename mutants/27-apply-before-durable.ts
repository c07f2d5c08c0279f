/** Entries are applied that the own disk does not hold yet. */
import { type Mutant, simulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'apply-before-durable',
  pitfall: 9,
  harm: 'Entries are applied that the own disk does not hold yet.',
  file: 'src/raft/core/log.ts',
  find: '    const limit = Math.min(this.commit, this.stable)\n    while',
  replace: '    const limit = this.commit\n    while',
  killedBy: simulator(1, 20),
}
