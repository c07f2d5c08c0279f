/** What the time to live of a queue ends is not counted: what is there is not what came in less what went. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'outlived-not-counted',
  pitfall: 0,
  harm: 'What the time to live of a queue ends is not counted: what is there is not what came in less what went.',
  file: 'src/queue/expiry.ts',
  find: 'function outlive(queue: Queue, now: Millis): void {\n  queue.tally.outlived += 1\n',
  replace: 'function outlive(queue: Queue, now: Millis): void {\n',
  killedBy: queueSimulator(1, 30),
}
