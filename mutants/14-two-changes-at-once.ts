/** A change of membership begins while another is under way. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'two-changes-at-once',
  pitfall: 13,
  harm: 'A change of membership begins while another is under way.',
  file: 'src/raft/core/leader.ts',
  find: "if (isJoint(node.membership) || node.pendingConfig > node.log.applied) return { ok: false, reason: 'config-pending' }",
  replace: "if (isJoint(node.membership)) return { ok: false, reason: 'config-pending' }",
  killedBy: namedTest(
    'src/raft/core/paper.test.ts',
    'one change at a time, and none before the leader knows all of its log applied (pitfall 13)',
  ),
}
