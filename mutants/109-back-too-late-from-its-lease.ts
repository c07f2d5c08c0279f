/** A message whose lease ran out is withheld for another back-off. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'back-too-late-from-its-lease',
  pitfall: 0,
  harm: 'A message whose lease ran out is withheld for another back-off.',
  file: 'src/queue/come-back.ts',
  find: 'queue.move(note, wait > 0 ? BACKOFF : READY, now)',
  replace: "if (reason === 'expired') note.changedAt += wait\n  queue.move(note, wait > 0 ? BACKOFF : READY, now)",
  killedBy: queueSimulator(1, 30),
}
