/** An entry of an earlier term is committed by counting its copies, and a later leader may still replace it. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'commit-old-term',
  pitfall: 1,
  harm: 'An entry of an earlier term is committed by counting its copies, and a later leader may still replace it.',
  file: 'src/raft/core/leader.ts',
  find: 'if (index <= log.commit || log.termAt(index) !== node.term) return false',
  replace: 'if (index <= log.commit) return false',
  killedBy: namedTest('src/raft/core/paper.test.ts', '5.4.2: a leader commits by counting only entries of its own term'),
}
