/** A command that is sent again takes effect again. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'retry-applied-twice',
  pitfall: 22,
  harm: 'A command that is sent again takes effect again.',
  file: 'src/raft/host/requests.ts',
  find: '    const known = this.lookup(client, command.sequence)\n    if (known !== null) return known',
  replace: "    const known = this.lookup(client, command.sequence)\n    if (known?.kind === 'waiting') return known",
  killedBy: namedTest('src/raft/host/applier.test.ts', 'applies each command once'),
}
