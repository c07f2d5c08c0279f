/** An answer that is asked for again brings back what was acknowledged, or is leased to another by now. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'repeated-answer-revives',
  pitfall: 0,
  harm: 'An answer that is asked for again brings back what was acknowledged, or is leased to another by now.',
  file: 'src/queue/attach.ts',
  find: 'const isLive = ({ seq, token }: BareDelivery) => queue !== undefined && isLeased(queue, seq, token)',
  replace: 'const isLive = ({ seq, token }: BareDelivery) => queue !== undefined && seq + token > 0',
  killedBy: queueSimulator(1, 60),
}
