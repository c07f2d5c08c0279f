/** A deposed home renews sessions without asking whether it still leads. */
import { type Mutant, driftSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'renewed-without-asking',
  pitfall: 0,
  harm: 'A deposed home renews sessions without asking whether it still leads.',
  file: 'src/cache/coherence/home-sessions.ts',
  find: 'const leaseMs = leaseLeftMs(options.leaseMs, state.confirmedAt, arrivedAt)',
  replace: 'const leaseMs = leaseLeftMs(options.leaseMs, arrivedAt, arrivedAt)',
  killedBy: driftSimulator(1, 150),
}
