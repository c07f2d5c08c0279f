/** A frame that was meant for a past life of a node is taken for the present one. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'past-life-heard',
  pitfall: 3,
  harm: 'A frame that was meant for a past life of a node is taken for the present one.',
  file: 'src/actors/links.ts',
  find: 'if (header.toIncarnation !== transport.incarnation || header.fromIncarnation',
  replace: 'if (header.fromIncarnation',
  killedBy: namedTest('src/actors/links.test.ts', 'the life of a peer never goes back'),
}
