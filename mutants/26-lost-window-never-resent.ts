/** When everything in flight is lost, replication stalls for ever. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'lost-window-never-resent',
  pitfall: 28,
  harm: 'When everything in flight is lost, replication stalls for ever.',
  file: 'src/raft/core/leader.ts',
  find: "  if (peer.state === 'probe' || peer.match < node.log.last) {",
  replace: "  if (peer.state === 'probe') {",
  killedBy: namedTest('test/scenarios/scenarios.test.ts', 'lost-window.txt'),
}
