/** What a node flushes counts after another was given the line. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'former-owner-flushes',
  pitfall: 0,
  harm: 'What a node flushes counts after another was given the line.',
  file: 'src/cache/machine/ownership.ts',
  find: "if (there === undefined || there.own !== command.own) {\n    return refused(refuse('FENCED'",
  replace: "if (there === undefined) {\n    return refused(refuse('FENCED'",
  killedBy: namedTest('src/cache/machine/ownership.test.ts', 'an owner that was followed by another can write nothing any more'),
}
