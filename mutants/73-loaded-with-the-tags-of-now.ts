/** What was loaded carries the tags as they are when it is put: an invalidation during the load is lost. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'loaded-with-the-tags-of-now',
  pitfall: 0,
  harm: 'What was loaded carries the tags as they are when it is put: an invalidation during the load is lost.',
  file: 'src/cache/machine/load.ts',
  find: 'return [...load.tags, ...tags.filter(([line]) => !known.has(line))]',
  replace: 'return [...tags]',
  killedBy: namedTest('src/cache/machine/load.test.ts', 'what was loaded carries the tags as they were when the token was given'),
}
