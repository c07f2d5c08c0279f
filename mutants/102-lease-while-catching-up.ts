/** Who has not heard everything yet is told that it has. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'lease-while-catching-up',
  pitfall: 0,
  harm: 'Who has not heard everything yet is told that it has.',
  file: 'src/cache/watch/stream.ts',
  find: 'joined ? watch.freshAt : -Infinity',
  replace: 'watch.freshAt',
  killedBy: namedTest(
    'src/cache/watch/invalidations.test.ts',
    'how old what was told may be: not known while homes are silent, or while it catches up',
  ),
}
