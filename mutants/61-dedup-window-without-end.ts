/** A dedup id is known after its window is over: a message is taken for an old one, and never delivered. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'dedup-window-without-end',
  pitfall: 0,
  harm: 'A dedup id is known after its window is over: a message is taken for an old one, and never delivered.',
  file: 'src/queue/dedup.ts',
  find: 'entry !== undefined && entry.expiresAt > now ? entry.seq : 0',
  replace: 'entry !== undefined ? entry.seq : 0',
  killedBy: queueSimulator(1, 30),
}
