/** A number counts on from a value that was dead as it came, for nobody had looked at its tags. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'unseen-tags-are-alive',
  pitfall: 0,
  harm: 'A number counts on from a value that was dead as it came, for nobody had looked at its tags.',
  file: 'src/cache/machine/write.ts',
  find: 'isSeen(line)) ? entry : UNJUDGED',
  replace: 'isSeen(line)) ? entry : entry',
  killedBy: namedTest('src/cache/node/operations.test.ts', 'an increment does not count on from what was dead as it came'),
}
