/** A follower commits entries of its own tail that the leader does not have. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'commit-beyond-match',
  pitfall: 7,
  harm: 'A follower commits entries of its own tail that the leader does not have.',
  file: 'src/raft/core/follower.ts',
  find: 'log.commitTo(Math.min(message.commit, matched))',
  replace: 'log.commitTo(Math.min(message.commit, log.last))',
  killedBy: namedTest('src/raft/core/paper.test.ts', 'a follower commits no further than the message has matched'),
}
