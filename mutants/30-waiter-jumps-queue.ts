/** A newcomer is granted before those who wait. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'waiter-jumps-queue',
  pitfall: 0,
  harm: 'A newcomer is granted before those who wait.',
  file: 'src/lock/acquire.ts',
  find: 'const vkey = vkeyOf(ctx.time, request.priority)',
  replace: 'const vkey = -1',
  killedBy: namedTest('src/lock/machine.test.ts', 'readers share; a writer waits for all of them; later readers wait behind the writer'),
}
