/** The body of a message goes when it is handed out: where that delivery fails there is nothing to hand out again. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'body-gone-before-its-ack',
  pitfall: 0,
  harm: 'The body of a message goes when it is handed out: where that delivery fails there is nothing to hand out again.',
  file: 'src/queue/come-back.ts',
  find: "  note.consumer = note.watcher = ''\n",
  replace: "  note.consumer = note.watcher = ''\n  queue.bodies.forget(note.seq)\n",
  killedBy: queueSimulator(1, 20),
}
