/** A node that was away hears a leader that its table does not know, cannot answer it, and never asks for the newest table. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'old-table-for-ever',
  pitfall: 14,
  harm: 'A node that was away hears a leader that its table does not know, cannot answer it, and never asks for the newest table.',
  file: 'src/cluster/reconciler.ts',
  find: '!meta?.serving || stranger || now',
  replace: '!meta?.serving || now',
  killedBy: namedTest(
    'src/cluster/stale-table.test.ts',
    'it hears a leader of meta that came after its table was written, and asks around for the table of today',
  ),
}
