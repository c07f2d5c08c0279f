/** A candidate without committed entries is elected. */
import { type Mutant, simulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'vote-for-shorter-logs',
  pitfall: 8,
  harm: 'A candidate without committed entries is elected.',
  file: 'src/raft/core/voter.ts',
  find: 'const upToDate = node.log.isUpToDate(message.lastIndex, message.lastTerm)',
  replace: 'const upToDate = message.lastTerm >= 0',
  killedBy: simulator(1, 60),
}
