/** A node with an emptied disk comes back under its old name and votes again. */
import { type Mutant, simulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'emptied-disk-taken-back',
  pitfall: 24,
  harm: 'A node with an emptied disk comes back under its old name and votes again.',
  file: 'src/cluster/formation-core.ts',
  find: 'if (member.uid !== uid) {',
  replace: "if (member.uid === '') {",
  killedBy: simulator(1, 60),
}
