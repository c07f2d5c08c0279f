/** Who waited and was served stays in the line: the next message goes to nobody. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'waiter-served-twice',
  pitfall: 0,
  harm: 'Who waited and was served stays in the line: the next message goes to nobody.',
  file: 'src/queue/dequeue.ts',
  find: '      table.unwait(waiter)\n      ctx.settle(waiter.ticket, deliver(',
  replace: '      ctx.settle(waiter.ticket, deliver(',
  killedBy: queueSimulator(1, 20),
}
