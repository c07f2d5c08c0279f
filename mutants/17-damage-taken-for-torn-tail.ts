/** A damaged batch in the middle of the log is passed over in silence, with a hole in the log. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'damage-taken-for-torn-tail',
  pitfall: 16,
  harm: 'A damaged batch in the middle of the log is passed over in silence, with a hole in the log.',
  file: 'src/io/wal/verdict.ts',
  find: '      if (!batch.whole) hole(',
  replace: '      if (batch.number < 0) hole(',
  killedBy: namedTest('src/io/wal/wal.test.ts', 'every flipped bit: in the last batch a torn tail, before it damage that names the victim'),
}
