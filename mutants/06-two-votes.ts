/** A voter gives its vote to whoever asks, more than once in a term. */
import { type Mutant, simulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'two-votes',
  pitfall: 2,
  harm: 'A voter gives its vote to whoever asks, more than once in a term.',
  file: 'src/raft/core/voter.ts',
  find: 'const free = node.vote === message.from || (node.vote === NOBODY && node.leader === NOBODY)',
  replace: 'const free = true',
  killedBy: simulator(1, 60),
}
