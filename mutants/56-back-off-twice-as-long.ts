/** What was given back comes back after twice its time. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'back-off-twice-as-long',
  pitfall: 0,
  harm: 'What was given back comes back after twice its time.',
  file: 'src/queue/come-back.ts',
  find: 'note.changedAt = now + wait\n',
  replace: 'note.changedAt = now + 2 * wait\n',
  killedBy: queueSimulator(1, 30),
}
