/** A founding replica of which rot left no trace is made again under the number under which it may have voted. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'founding-again-beside-damage',
  pitfall: 24,
  harm: 'A founding replica of which rot left no trace is made again under the number under which it may have voted.',
  file: 'src/cluster/founding.ts',
  find: 'host.damaged.length === 0 && !host.logHoles',
  replace: 'host.damaged.length >= 0',
  killedBy: namedTest(
    'src/cluster/cluster.test.ts',
    'a founding replica of which rot left no trace, before the founding was noted, is a lost one',
  ),
}
