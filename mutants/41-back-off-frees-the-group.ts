/** While the head of a group is in back-off, those behind it are delivered. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'back-off-frees-the-group',
  pitfall: 0,
  harm: 'While the head of a group is in back-off, those behind it are delivered.',
  file: 'src/queue/queue.ts',
  find: 'if (lane.isGroup && (state === LEASED || state === BACKOFF)) {',
  replace: 'if (lane.isGroup && state === LEASED) {',
  killedBy: queueSimulator(1, 20),
}
