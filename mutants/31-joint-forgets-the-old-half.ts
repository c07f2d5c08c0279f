/** While a membership changes, only the voters to come are asked, and the old ones may decide otherwise. */
import { type Mutant, simulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'joint-forgets-the-old-half',
  pitfall: 13,
  harm: 'While a membership changes, only the voters to come are asked, and the old ones may decide otherwise.',
  file: 'src/raft/core/tracker.ts',
  find: 'return Math.min(this.#matchOf(this.#voters), this.#matchOf(this.#outgoing))',
  replace: 'return this.#matchOf(this.#voters)',
  killedBy: simulator(1, 60),
}
