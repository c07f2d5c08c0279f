/** A delayed message is delivered after half of its time. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'delayed-too-early',
  pitfall: 0,
  harm: 'A delayed message is delivered after half of its time.',
  file: 'src/queue/enqueue.ts',
  find: 'DELAYED, now + delayMs, ttlMs)',
  replace: 'DELAYED, now + (delayMs >> 1), ttlMs)',
  killedBy: queueSimulator(1, 30),
}
