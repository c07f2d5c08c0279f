/** An empty disk that joins under the name of a member gets the number of that member, and with it its replicas. */
import { type Mutant, simulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'stranger-takes-the-number',
  pitfall: 24,
  harm: 'An empty disk that joins under the name of a member gets the number of that member, and with it its replicas.',
  file: 'src/cluster/meta-machine.ts',
  find: "if (known.uid !== '') {",
  replace: 'if (known.uid === uid) {',
  killedBy: simulator(1, 60),
}
