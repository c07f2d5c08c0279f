/** A delayed append cuts off entries that came after it and were acknowledged. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'truncate-always',
  pitfall: 5,
  harm: 'A delayed append cuts off entries that came after it and were acknowledged.',
  file: 'src/raft/core/log.ts',
  find: 'while (skip < entries.length && this.termAt(entries[skip]!.index) === entries[skip]!.term) skip++',
  replace: 'while (skip < 0) skip++',
  killedBy: namedTest('src/raft/core/log.test.ts', 'merge agrees with a naive log: only a contradiction cuts (pitfall 5)'),
}
