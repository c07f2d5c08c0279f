/** A lease is handed out and never recorded: whoever loads the state knows nothing of it, and hands the message out again. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'lease-not-recorded',
  pitfall: 0,
  harm: 'A lease is handed out and never recorded: whoever loads the state knows nothing of it, and hands the message out again.',
  file: 'src/queue/queue.ts',
  find: '    this.touch()\n    this.#table.changes.touched(note)\n    this.place(lane, now, true)',
  replace: '    this.touch()\n    this.place(lane, now, true)',
  killedBy: queueSimulator(1, 20),
}
