/** A change is told while copies of what was before are served: who reads again keeps what is over. */
import { type Mutant, cacheSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'told-before-copies-are-gone',
  pitfall: 0,
  harm: 'A change is told while copies of what was before are served: who reads again keeps what is over.',
  file: 'src/cache/node/home-watches.ts',
  find: "    const frontier = first === 'none' ? machine.version : first.change - 1\n",
  replace: '    const frontier = machine.version\n',
  killedBy: cacheSimulator(1, 60),
}
