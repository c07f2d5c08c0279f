/** What a former owner flushes takes the place of what the present one wrote. */
import { type Mutant, writebackSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'any-owner-flushes',
  pitfall: 0,
  harm: 'What a former owner flushes takes the place of what the present one wrote.',
  file: 'src/cache/machine/ownership.ts',
  find: "if (there === undefined || there.own !== command.own) {\n    return refused(refuse('FENCED', 'the ownership is over', { own: there?.own ?? 0 }))",
  replace: "if (there === undefined) {\n    return refused(refuse('FENCED', 'the ownership is over', { own: 0 }))",
  killedBy: writebackSimulator(1, 60),
}
