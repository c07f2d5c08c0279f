/** Who gives a message back is told that its lease was lost. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'given-back-is-lost',
  pitfall: 0,
  harm: 'Who gives a message back is told that its lease was lost.',
  file: 'src/queue/settle.ts',
  find: '  return settled(command.items.map((item) => nackOne(queue, item, ctx.time)))',
  replace:
    "  for (const item of command.items) {\n    const note = findLeased(queue, item)\n    if (typeof note !== 'string') ctx.emit({ type: 'lease_lost', watcher: note.watcher, queue: queue.name.queue, id: item.id, token: item.token })\n  }\n  return settled(command.items.map((item) => nackOne(queue, item, ctx.time)))",
  killedBy: queueSimulator(1, 30),
}
