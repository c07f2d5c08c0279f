/** A transaction that is refused for its ack has enqueued already. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'transaction-by-halves',
  pitfall: 0,
  harm: 'A transaction that is refused for its ack has enqueued already.',
  file: 'src/queue/transaction.ts',
  find: '    if (refusal !== null) return { ...refusal, details: { ...refusal.details, op: at } }\n',
  replace:
    '    if (refusal !== null) {\n      for (const op of ops.slice(0, at)) if (op.type === `queue_enqueue`) takeIn(queueFor(table, op), op, 1, ctx.time, didEnqueue(1) as Plain[])\n      return refusal\n    }\n',
  killedBy: queueSimulator(1, 30),
}
