/** A home looks at how much its partition may hold when it is elected, and not when nodes come or go. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'room-as-of-the-election',
  pitfall: 0,
  harm: 'A home looks at how much its partition may hold when it is elected, and not when nodes come or go.',
  file: 'src/cache/node/coherence.ts',
  find: 'this.#closed || this.#lookAtRooms.by(deps.system.clock.now())',
  replace: 'undefined',
  killedBy: namedTest('test/sim.test.ts', 'members come and go'),
}
