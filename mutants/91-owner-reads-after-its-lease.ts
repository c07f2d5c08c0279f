/** An owner goes on reading its line when its lease is over. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'owner-reads-after-its-lease',
  pitfall: 0,
  harm: 'An owner goes on reading its line when its lease is over.',
  file: 'src/cache/coherence/controller.ts',
  find: 'if (!this.isReadable(copy, now)) return false',
  replace: "if (copy.state === 'S' && !this.isReadable(copy, now)) return false",
  killedBy: namedTest(
    'src/cache/coherence/lease.test.ts',
    'an owner neither reads nor writes after its lease, though nothing has ticked since',
  ),
}
