/** A node tells a new home that it dropped its copies, and keeps them. */
import { type Mutant, cacheSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'view-acknowledged-with-copies',
  pitfall: 0,
  harm: 'A node tells a new home that it dropped its copies, and keeps them.',
  file: 'src/cache/coherence/controller.ts',
  find: '    // An open that is under way stays good: there are no copies, and whoever leads may answer it.\n    if (session.sid !== 0) this.breakSession(now)',
  replace:
    '    // An open that is under way stays good: there are no copies, and whoever leads may answer it.\n    if (session.sid === 0) this.loseCopies()',
  killedBy: cacheSimulator(1, 60),
}
