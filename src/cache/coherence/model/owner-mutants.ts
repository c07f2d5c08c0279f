/** Rules of lines that a node writes alone, each taken out by one change of the text of one reducer. */
import { OWNED } from './configurations.ts'
import type { ReducerMutant } from './mutant.ts'

export const OWNERS = { nodes: 2, loads: 3, writes: 1, owners: true }
/** Another home is elected while an owner has not flushed. */
const OWNED_THEN_VIEW = [...OWNED, /home 2 is elected/, /view to n0/, /view to n1/, /viewAck of n1/, /committed/, /home 2 applies/]
/** The session of an owner is over before it has flushed. */
const OVER = [...OWNED, /n0 flushes/, /time/, /time/, /home 1 ticks/]
/** And a write through the log has found the line owned, so that the home took it back. */
export const OVER_AND_TAKEN = [...OVER, /proposes put/, /committed/, /applies/, /committed/, /applies/]
export const OWNERS_FAILOVER = { nodes: 1, loads: 1, writes: 1, owners: true, terms: 2, tries: 2, grants: 2 }

/** A session that is renewed when its lease is over at the node already, with the line given to it meanwhile. */
const RENEWED_LATE = [/time/, /n0 claims/, /n0 ticks/, /getM of n0/, /committed/, /applies/, /renew 2 of n0/, /home 1 is confirmed/]

/** Nobody writes through the log. */
const ALONE = { ...OWNERS, logged: 0 }
/** Who is given a line is not asked for the copy that it has. */
const SPARED = [
  'const next = line.queue[0]\n',
  'const next = line.queue[0]\n  if (line.grants.every(({ node }) => node === next?.node)) line.grants = []\n',
  'home-owners.ts',
] as const

const KEPT = `const was = this.owner.copyOf(line)
    if (this.owner.revoked(from, line, t)) return void (was && this.copies.set(line, { ...was, state: 'S' }))`
const SPARING_RECALL = `case 'recall': {
        const fetch = this.fetches.get(message.line)
        if (fetch !== undefined) fetch.killed = message.t
        if (this.owner.revoked(from, message.line, message.t)) return
        return this.port.send(from, { type: 'invAck', term: session.term, t: message.t, line: message.line })
      }
      case 'inv':
`

export const OWNER_MUTANTS: readonly ReducerMutant[] = [
  {
    name: 'an owner acknowledges before what it wrote is committed',
    file: 'owner.ts',
    edits: [['if (!isClean(owned)) return flushNow(this.port, owned)', 'flushNow(this.port, owned)']],
    settings: OWNERS,
  },
  {
    name: 'an owner reads on after it was recalled',
    file: 'owner.ts',
    edits: [['    this.close(owned)\n    return true', '    return false']],
    settings: OWNERS,
  },
  {
    name: 'who asks for an owned line gets what is applied',
    file: 'home-lines.ts',
    edits: [['if (isOwned(home, id, line)) return', 'if (line === null) return']],
    settings: OWNERS,
  },
  {
    name: 'a line is given while others have copies',
    file: 'home-owners.ts',
    edits: [["if (next === undefined || invalidate(home, id, line, 'put', now) !== null) return", 'if (next === undefined) return']],
    settings: OWNERS,
  },
  {
    name: 'an owner is not asked to give the line back',
    file: 'home-owners.ts',
    edits: [["if (line.owner !== null && invalidate(home, id, line, 'recall', now) !== null) return", 'line.owner = null']],
    settings: OWNERS,
  },
  {
    name: 'a home that does not know of an owner does not ask the log',
    file: 'home-owners.ts',
    edits: [
      [
        '(line.owner !== null || line.step !== null)) || port.owned(id) !== 0',
        '(line.owner !== null || line.step !== null)) || port.owned(id) < 0',
      ],
      ['if (own !== 0) {', 'if (own < 0) {'],
    ],
    settings: { ...OWNERS, loads: 4, time: 2, tries: 2, lossy: true, begin: OVER },
  },
  {
    name: 'a newer term is acknowledged before what was written is flushed',
    file: 'owner.ts',
    edits: [['if (this.lines.hasOthersThan(this.session.epoch)) return', '']],
    settings: { ...OWNERS_FAILOVER, nodes: 2, loads: 4, begin: OWNED_THEN_VIEW },
  },
  {
    name: 'a revoked ownership is taken',
    file: 'controller.ts',
    edits: [
      [
        'if (g <= fetch.killed) return this.answerAsked(line, fetch, held, until, now)\n    this.fetches.delete(line)\n    this.copies.delete(line)',
        'this.fetches.delete(line)\n    this.copies.delete(line)',
      ],
    ],
    settings: { ...OWNERS, loads: 4 },
  },
  {
    name: 'a line is let go before what was written is flushed',
    file: 'owner.ts',
    edits: [['!owned.closing) this.close(owned)', '!owned.closing) {\n this.port.release(line, owned.own)\n this.close(owned)\n }']],
    settings: { ...OWNERS, nodes: 1, releases: true, begin: OWNED },
  },
  {
    name: 'a node asks for a line before it has flushed what it wrote of it',
    file: 'controller.ts',
    edits: [[' || this.owner.isLeftOver(line)', '']],
    settings: { ...OWNERS, nodes: 1, time: 2, tries: 2, begin: OWNED },
  },
  {
    name: 'the answer to an older flush counts for a newer one',
    file: 'owner.ts',
    edits: [['owned.flushing?.version !== version', 'owned.flushing === null']],
    settings: { ...OWNERS, nodes: 1, writes: 2, releases: true, begin: [...OWNED, /n0 flushes/] },
  },
  {
    name: 'a home takes back what its owner may still flush',
    file: 'home-orphans.ts',
    edits: [['return now >= (state.peers.get(node)?.overAt ?? state.startedAt) + options.holderIdleMs', 'return true']],
    settings: { ...OWNERS, nodes: 1, time: 2, tries: 2, begin: [...OWNED, /time/, /time/] },
  },
  {
    name: 'a line is kept by a node that does not ask for it any more',
    file: 'owner.ts',
    edits: [['(owned === undefined || owned.own < own)) this.port.release(line, own)', 'false) this.port.release(line, own)']],
    settings: { ...OWNERS, nodes: 1, loads: 2, grants: 3 },
  },
  {
    name: 'a line is given back by who has it',
    file: 'owner.ts',
    edits: [['(owned === undefined || owned.own < own)', '(owned === undefined || owned.own <= own)']],
    settings: { ...OWNERS, grants: 3 },
  },
  {
    name: 'a line is given back by who asks for it',
    file: 'controller.ts',
    edits: [['this.fetches.get(line)?.rid === message.rid ? undefined : this.owner', 'this.owner']],
    settings: { ...OWNERS, nodes: 1, loads: 2, time: 2, tries: 2, grants: 2, begin: RENEWED_LATE },
  },
  {
    name: 'who wants to write a line alone keeps its copy',
    file: 'controller.ts',
    edits: [['    this.copies.delete(line)\n    this.owner.take', '    this.owner.take'], SPARED],
    settings: ALONE,
  },
  {
    name: 'an owner that gives a line back keeps a copy of it',
    file: 'controller.ts',
    edits: [['if (this.owner.revoked(from, line, t)) return', KEPT]],
    settings: { ...ALONE, loads: 4, begin: [...OWNED.slice(0, -1), /n1 claims/] },
  },
  {
    name: 'a line that is taken back before it came leaves an older copy of it',
    file: 'controller.ts',
    edits: [["case 'inv':\n      case 'recall':\n", SPARING_RECALL], SPARED],
    settings: { ...ALONE, loads: 4, begin: [/getS of n0/, /dataS to n0/, /n0 claims/, /n1 claims/] },
  },
  {
    name: 'a silent home takes back what its owner has not flushed',
    file: 'home-owners.ts',
    edits: [['if (!home.state.open || line?.busy || line?.step) return', 'if (line?.busy || line?.step) return']],
    settings: { ...OWNERS_FAILOVER, loads: 2, writes: 2, begin: [...OWNED, /proposes put/] },
  },
]
