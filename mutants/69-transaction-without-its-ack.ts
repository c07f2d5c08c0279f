/** A transaction goes through though one of its acks fails: the work goes on twice. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'transaction-without-its-ack',
  pitfall: 0,
  harm: 'A transaction goes through though one of its acks fails: the work goes on twice.',
  file: 'src/queue/transaction.ts',
  find: "if (note === 'NO_SUCH_MESSAGE' && queue !== null && wasAcked(queue, item)) continue",
  replace: "if (queue !== null && (note !== 'NO_SUCH_MESSAGE' || wasAcked(queue, item))) continue",
  killedBy: queueSimulator(1, 30),
}
