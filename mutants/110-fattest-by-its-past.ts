/** Which cache holds most is not looked at again as it grows: another one gives, and on a replica made of records yet another. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'fattest-by-its-past',
  pitfall: 0,
  harm: 'Which cache holds most is not looked at again as it grows: another one gives, and on a replica made of records yet another.',
  file: 'src/cache/machine/room.ts',
  find: '    this.#caches.moved(cache)\n',
  replace: '',
  killedBy: namedTest('src/cache/machine/model.test.ts', 'the machine and the naive model cannot be told apart'),
}
