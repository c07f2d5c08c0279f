/** The floor of a fence is where it was when the state was first stored: after a restart an old token passes. */
import { type Mutant, queueSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'fence-forgotten-at-load',
  pitfall: 0,
  harm: 'The floor of a fence is where it was when the state was first stored: after a restart an old token passes.',
  file: 'src/queue/fences.ts',
  find: 'else if (floor.token < token) floor.token = token',
  replace: 'else if (floor.token < token) return void (floor.token = token)',
  killedBy: queueSimulator(1, 60),
}
