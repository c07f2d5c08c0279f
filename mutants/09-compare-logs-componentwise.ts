/** A longer log of an earlier term loses against a shorter one of a later term, or nobody can win. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'compare-logs-componentwise',
  pitfall: 8,
  harm: 'A longer log of an earlier term loses against a shorter one of a later term, or nobody can win.',
  file: 'src/raft/core/log.ts',
  find: 'return lastTerm > own || (lastTerm === own && lastIndex >= this.last)',
  replace: 'return lastTerm >= own && lastIndex >= this.last',
  killedBy: namedTest('src/raft/core/log.test.ts', 'which log is more up to date: the later term, then the longer log (pitfall 8)'),
}
