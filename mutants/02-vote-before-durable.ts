/** A vote is told before it is durable: after a crash the voter may vote again in the same term. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'vote-before-durable',
  pitfall: 2,
  harm: 'A vote is told before it is durable: after a crash the voter may vote again in the same term.',
  file: 'src/raft/core/voter.ts',
  find: '  else node.outbox.promise(response)',
  replace: '  else node.outbox.send(response)',
  killedBy: namedTest('test/scenarios/scenarios.test.ts', 'vote-is-durable.txt'),
}
