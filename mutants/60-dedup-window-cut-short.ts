/** A dedup id is forgotten before its window is over. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'dedup-window-cut-short',
  pitfall: 0,
  harm: 'A dedup id is forgotten before its window is over.',
  file: 'src/queue/enqueue.ts',
  find: 'queue.dedup.add(dedupId, seq, now + dedupWindowMs)',
  replace: 'queue.dedup.add(dedupId, seq, now + (dedupWindowMs >> 1))',
  killedBy: queueSimulator(1, 30),
}
