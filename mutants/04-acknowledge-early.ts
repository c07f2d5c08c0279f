/** A follower acknowledges entries that a crash can still take from it. */
import { type Mutant, simulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'acknowledge-early',
  pitfall: 2,
  harm: 'A follower acknowledges entries that a crash can still take from it.',
  file: 'src/raft/core/follower.ts',
  find: 'function accept(node: RaftNode, to: ReplicaId, index: LogIndex): void {\n  node.outbox.promise({',
  replace: 'function accept(node: RaftNode, to: ReplicaId, index: LogIndex): void {\n  node.outbox.send({',
  killedBy: simulator(1, 30),
}
