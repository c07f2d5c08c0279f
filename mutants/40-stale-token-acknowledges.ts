/** A token of an earlier delivery settles the message that somebody else works on. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'stale-token-acknowledges',
  pitfall: 0,
  harm: 'A token of an earlier delivery settles the message that somebody else works on.',
  file: 'src/queue/settle.ts',
  find: "  if (note.token !== token) return 'STALE_TOKEN'\n",
  replace: '',
  killedBy: queueSimulator(1, 30),
}
