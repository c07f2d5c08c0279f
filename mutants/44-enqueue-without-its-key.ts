/** An enqueue that is sent again by way of another node is a second message. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'enqueue-without-its-key',
  pitfall: 22,
  harm: 'An enqueue that is sent again by way of another node is a second message.',
  file: 'src/queue/facade.ts',
  find: 'return idempotencyKey === undefined ? {',
  replace: 'return idempotencyKey === undefined || takesSpace(command) ? {',
  killedBy: queueSimulator(1, 40),
}
