/** The leader counts its own copy before it is durable. */
import { type Mutant, simulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'leader-counts-itself-early',
  pitfall: 25,
  harm: 'The leader counts its own copy before it is durable.',
  file: 'src/raft/core/ready.ts',
  find: "if (node.role === 'leader' && entries.length > 0) acknowledgeToSelf(node)",
  replace: "if (node.role === 'leader' && entries.length > 0) node.tracker.own.acknowledged(node.log.last)",
  killedBy: simulator(1, 30),
}
