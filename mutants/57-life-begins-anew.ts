/** The time to live of a message begins anew with each delivery. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'life-begins-anew',
  pitfall: 0,
  harm: 'The time to live of a message begins anew with each delivery.',
  file: 'src/queue/come-back.ts',
  find: '  note.reason = reason\n',
  replace: '  note.reason = reason\n  note.since = now\n',
  killedBy: queueSimulator(1, 30),
}
