/** A write goes through the log while a node owns the line. */
import { type Mutant, cutOwnerSimulator } from './mutant.ts'

export const mutant: Mutant = {
  name: 'through-the-log-beside-an-owner',
  pitfall: 0,
  harm: 'A write goes through the log while a node owns the line.',
  file: 'src/cache/machine/owned-line.ts',
  find: 'return there.own === own ? null : owned(line, there.node, there.own)',
  replace: 'return own === 0 || there.own === own ? null : owned(line, there.node, there.own)',
  killedBy: cutOwnerSimulator(1, 60),
}
