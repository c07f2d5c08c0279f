/** A candidate asks for votes before its term is durable: a grant may meet its next life, which knows nothing of it. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'vote-request-before-durable',
  pitfall: 3,
  harm: 'A candidate asks for votes before its term is durable: a grant may meet its next life, which knows nothing of it.',
  file: 'src/raft/core/candidate.ts',
  find: 'node.outbox.promise(voteRequest(node, voter, false, transfer))',
  replace: 'node.outbox.send(voteRequest(node, voter, false, transfer))',
  killedBy: namedTest('src/raft/core/paper.test.ts', 'the own vote counts once it is durable, and requests leave no earlier (P1)'),
}
