/** Rules of nodes that stop, taken out one at a time; see mutants.ts. */
import type { ReducerMutant } from './mutant.ts'

const ONE = { nodes: 1, writes: 1, leaves: true }

/** Two knocks, a hold for each; it leaves with the second under way, and another life of it knocks before that is applied. */
const KNOCKED = [/n0 loads/, /open 1 of n0/, /time/, /n0 ticks/, /open 2 of n0/]
const APPLIED = [/committed/, /applies/]
const LEFT_WITH_A_HOLD = [
  ...APPLIED,
  ...KNOCKED,
  ...APPLIED,
  /n0 leaves/,
  /leave 3 of n0/,
  /n0 restarts/,
  /n0 loads/,
  /open 1 of n0/,
  ...APPLIED,
]

export const LEAVING_MUTANTS: readonly ReducerMutant[] = [
  {
    name: 'a node that leaves keeps its copies',
    file: 'controller.ts',
    edits: [['if (session.leaving !== 0) return\n    this.loseCopies()', 'if (session.leaving !== 0) return']],
    settings: { ...ONE, nodes: 2, loads: 3, tries: 2 },
  },
  {
    name: 'a late leave of a former life ends the session of this one',
    file: 'home-sessions.ts',
    edits: [
      ['if (n < peer.tried) return', ''],
      ['if (n > peer.tried) {', 'if (n !== peer.tried) {'],
    ],
    settings: { ...ONE, loads: 3, crashes: 1, tries: 2, forgetful: false },
  },
  {
    name: 'a hold from before its node was let go makes it a holder again',
    file: 'home-sessions.ts',
    edits: [['if (state.leaving.has(node)) return', '']],
    settings: { ...ONE, loads: 2, terms: 2, crashes: 1, time: 1, tries: 3, grants: 1, sessions: false, begin: LEFT_WITH_A_HOLD },
  },
  {
    name: 'who left while it was let in is a holder for good',
    file: 'home-sessions.ts',
    edits: [['else if (peer !== undefined && peer.left === peer.tried) letGo(home, node)', '']],
    settings: { ...ONE, loads: 1, tries: 2, grants: 1, sessions: false },
  },
]
