/** An owner goes on reading its line when its lease is over. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'owner-reads-after-its-lease',
  pitfall: 0,
  harm: 'An owner goes on reading its line when its lease is over.',
  file: 'src/cache/coherence/controller.ts',
  find: 'if (copy !== undefined && this.isReadable(copy, now)) {\n      copy.hit = true',
  replace: "if (copy !== undefined && (copy.state !== 'S' || this.isReadable(copy, now))) {\n      copy.hit = true",
  killedBy: namedTest(
    'src/cache/coherence/lease.test.ts',
    'an owner neither reads nor writes after its lease, though nothing has ticked since',
  ),
}
