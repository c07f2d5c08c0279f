/** No home asks what is read: a full cache throws away what is read all the time, because nobody writes it. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'reads-asked-of-nobody',
  pitfall: 0,
  harm: 'No home asks what is read: a full cache throws away what is read all the time, because nobody writes it.',
  file: 'src/cache/node/partition-home.ts',
  find: 'if (prefixes.length > 0) this.#asked.add(to)',
  replace: 'if (prefixes.length > 1e9) this.#asked.add(to)',
  killedBy: namedTest('test/cache-reads.test.ts', 'what is read at the other node stays, what was put beside it and is not read goes'),
}
