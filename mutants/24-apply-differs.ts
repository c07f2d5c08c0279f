/** Applying depends on what the process has seen since it started: replicas drift apart. */
import { type Mutant, simulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'apply-differs',
  pitfall: 26,
  harm: 'Applying depends on what the process has seen since it started: replicas drift apart.',
  file: 'src/lock/acquire.ts',
  find: 'const grant = table.grant(table.lockFor(namespace, name), mode, claimant, ctx.time)',
  replace: 'const grant = table.grant(table.lockFor(namespace, name), mode, claimant, ctx.time + (tally.granted % 5))',
  killedBy: simulator(1, 30),
}
