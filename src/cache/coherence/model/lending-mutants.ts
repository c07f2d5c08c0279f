/** Rules of lending to clients, taken out one at a time; see mutants.ts. */
import type { DriverMutant, ReducerMutant } from './mutant.ts'

const LENT = { lends: true, nodes: 1, loads: 1, writes: 1, tries: 1, grants: 2 }
/** A write is committed that takes back what is lent, and another home is elected. */
const LENT_THEN_ELECTED = [
  /getS of n0/,
  /dataS to n0/,
  /n0 lends 0/,
  /c takes 0/,
  /home 1 proposes put/,
  /are committed/,
  /home 1 applies/,
  /home 2 is elected/,
  /view to n0/,
]
const LENT_IN_TIME = { ...LENT, time: 2, tries: 2 }
const LENT_FAILOVER = { ...LENT, terms: 2, tries: 2, time: 1, lease: 1, grants: 1 }

export const LENDING_MUTANTS: readonly ReducerMutant[] = [
  {
    name: 'an invalidation is acknowledged before the clients have',
    file: 'controller.ts',
    edits: [['if (this.lent.callBack(line, { to: from, t }, this.session.epoch)) return', 'this.lent.callBack(line, null, 0)']],
    settings: LENT,
  },
  {
    name: 'a node that has evicted its copy forgets that it was lent',
    file: 'controller.ts',
    edits: [['if (this.lent.callBack(line', 'if (copy !== undefined && this.lent.callBack(line']],
    settings: { ...LENT, evictions: true },
  },
  {
    name: 'the lease of a client is longer than the session',
    file: 'borrowers.ts',
    edits: [
      ['for (const { lender } of wanted) leftMs = Math.min(leftMs, lender.lentLeftMs())', 'void wanted'],
      ['for (const lender of lenders.keys()) leftMs = Math.min(leftMs, lender.lentLeftMs())', 'void lenders'],
    ],
    settings: { ...LENT_IN_TIME, lease: 1, time: 1 },
  },
  {
    name: 'another value than that of the copy is lent',
    file: 'borrowers.ts',
    edits: [['return copy !== null && copy.held.version === version ? copy : null', 'return copy']],
    settings: { ...LENT, loads: 2, grants: 3 },
  },
  {
    name: 'what was granted in an older session is lent',
    file: 'controller.ts',
    edits: [
      ['!this.isReadable(copy, now) || !this.lent.lend(line, copy)', '!this.lent.lend(line, { ...copy, epoch: this.session.epoch })'],
      [
        'const copy = this.copies.get(line)\n    if (copy === undefined || !this',
        'const copy = this.copies.get(line)\n    if (copy === undefined || this.session.sid === 0 || !this',
      ],
    ],
    settings: { ...LENT_IN_TIME, grants: 3 },
  },
  {
    name: 'the clients count as done before their lease is over',
    file: 'borrowers.ts',
    edits: [['if (now < borrower.until) this.due(borrower.until)', 'if (now < borrower.until - 1000) this.due(borrower.until)']],
    settings: { ...LENT, time: 1 },
  },
  {
    name: 'an acknowledgement of what was told before counts',
    file: 'borrowers.ts',
    edits: [['borrower.pending[0].n <= acked', 'borrower.pending[0].n <= acked + 1']],
    settings: LENT,
  },
  {
    name: 'a session is opened while clients have copies of the one before',
    file: 'controller.ts',
    edits: [['if (this.lent.lines.size > 0) return void (session.nextAt = Infinity)', '']],
    settings: { ...LENT, terms: 2, tries: 2, deposed: true, begin: LENT_THEN_ELECTED },
  },
  {
    name: 'a node that stops gives up what clients have copies of',
    file: 'controller.ts',
    edits: [['session.hasLeft || this.lent.lines.size > 0', 'session.hasLeft']],
    settings: { ...LENT, tries: 2, leaves: true },
  },
  {
    name: 'a newer term is acknowledged while clients have copies',
    file: 'owner.ts',
    edits: [['if (this.lent.isOut(this.session.epoch)) return', '']],
    settings: { ...LENT_FAILOVER, lease: 2 },
  },
]

export const LENDING_DRIVER_MUTANTS: readonly DriverMutant[] = [
  { name: 'a client takes what was called back on its way', rules: { overtaken: false }, settings: { ...LENT, loads: 2, grants: 3 } },
  { name: 'a client serves when its lease is over', rules: { clientLease: false }, settings: { ...LENT, time: 1 } },
  {
    name: 'a node that has restarted speaks while clients have copies',
    rules: { quiet: false },
    settings: { ...LENT, loads: 2, crashes: 1, time: 1 },
  },
]
