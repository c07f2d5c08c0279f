/** A home that was suspended renews sessions on what was confirmed before. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'confirmed-before-its-sleep',
  pitfall: 0,
  harm: 'A home that was suspended renews sessions on what was confirmed before.',
  file: 'src/cache/coherence/home-sessions.ts',
  find: '  state.confirmedAt = -Infinity\n  // Who',
  replace: '  // Who',
  killedBy: namedTest(
    'src/cache/node/partition-home.test.ts',
    'a home that was suspended renews on what it asks for afterwards, not on what was confirmed before',
  ),
}
