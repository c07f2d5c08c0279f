/** All of a name is said to be gone though what was deleted a moment before is served still. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'sweep-by-name-passes',
  pitfall: 0,
  harm: 'All of a name is said to be gone though what was deleted a moment before is served still.',
  file: 'src/cache/machine/replies.ts',
  find: '[...versions, -below]',
  replace: '[...versions]',
  killedBy: namedTest('src/cache/machine/replies.test.ts', 'a sweep'),
}
