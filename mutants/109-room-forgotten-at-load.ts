/** How much all caches of a partition may hold is not recorded: a replica made of records evicts nothing for the others. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'room-forgotten-at-load',
  pitfall: 0,
  harm: 'How much all caches of a partition may hold is not recorded: a replica made of records evicts nothing for the others.',
  file: 'src/cache/machine/records.ts',
  find: '    if (table.room.bytesMax < ROOM_UNBOUNDED) out.varint(table.room.bytesMax)\n',
  replace: '',
  killedBy: namedTest('src/cache/machine/model.test.ts', 'the machine and the naive model cannot be told apart'),
}
