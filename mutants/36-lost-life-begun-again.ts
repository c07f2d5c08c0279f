/** A replica of which rot left nothing but an earlier life begins again under the number it had, without its votes and entries. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'lost-life-begun-again',
  pitfall: 24,
  harm: 'A replica of which rot left nothing but an earlier life begins again under the number it had, without its votes and entries.',
  file: 'src/cluster/reconcile-local.ts',
  find: 'const begun = state.begun(group)',
  replace: 'const begun = local ? -1 : state.begun(group)',
  killedBy: namedTest('src/cluster/reconcile.test.ts', 'lost or damaged: asks for another life, never begins the same one again'),
}
