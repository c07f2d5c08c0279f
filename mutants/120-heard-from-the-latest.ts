/** A number that several subscriptions told stands for what the latest of them had told: what whoever heard another one misses is never told. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'heard-from-the-latest',
  pitfall: 0,
  harm: 'A number that several subscriptions told stands for what the latest of them had told: what whoever heard another one misses is never told.',
  file: 'src/api/socket/past-subscriptions.ts',
  find: 'cursor ?? cursors.earliest(places)',
  replace: 'cursor ?? places.at(-1) ?? null',
  killedBy: namedTest(
    'src/api/socket/past-subscriptions.test.ts',
    'whoever comes back, by whatever it knows, misses nothing or is told so',
  ),
}
