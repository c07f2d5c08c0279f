/**
 * Rules of the protocol, each taken out by one change of the text of one reducer, or by one rule of the driver that is not
 * kept. A configuration of the model has to break with each.
 */
import { OWNED } from './configurations.ts'
import type { DriverMutant, ReducerMutant } from './mutant.ts'
import { OVER_AND_TAKEN, OWNERS, OWNERS_FAILOVER } from './owner-mutants.ts'

const WRITES = { nodes: 2, loads: 3, writes: 1 }
const LEASES = { nodes: 1, loads: 2, writes: 1, time: 3, tries: 2 }
const CRASH = { nodes: 1, loads: 3, writes: 1, crashes: 1, tries: 2, forgetful: false }
const FAILOVER = { nodes: 1, loads: 2, writes: 1, terms: 2, tries: 2 }
const OPENING = { nodes: 1, loads: 1, writes: 1, terms: 2, tries: 1, grants: 1, sessions: false }
const FAILOVER_IN_TIME = { ...FAILOVER, time: 3 }

/** The home was confirmed and does not know it yet when another is elected. */
const UNHEARD = [
  /getS of/,
  /dataS to/,
  /time/,
  /n0 ticks/,
  /renew 2 of/,
  /home 1 is confirmed/,
  /home 2 is elected/,
  /time/,
  /home 1 hears/,
]

/** A home asks to give a line to a node, and another is elected before that is in the log. */
const GIVEN_TWICE = [
  /n0 claims/,
  /open 1 of n0 to home 1/,
  /committed/,
  /applies/,
  /committed/,
  /applies/,
  /home 1 is confirmed/,
  /home 1 hears/,
  /opened to n0/,
  /getM of n0 to home 1/,
  /elected with 2 entries of home 1/,
]

/** Two knocks open one session, and the node has heard of the first. */
const KNOCKED_TWICE = [
  /n0 loads/,
  /time/,
  /n0 ticks/,
  /committed/,
  /applies/,
  /open 1 of n0 to home 1/,
  /committed/,
  /applies/,
  /home 1 is confirmed/,
  /home 1 hears/,
  /open 2 of n0 to home 1/,
  /home 1 is confirmed/,
  /home 1 hears/,
  /opened to n0/,
]

export const REDUCER_MUTANTS: readonly ReducerMutant[] = [
  {
    name: 'a grant that was revoked on its way is kept',
    file: 'controller.ts',
    edits: [
      [
        "if (g <= fetch.killed) return this.answerAsked(line, fetch, held, until, now, fetch.wants === 'X')\n    this.fetches.delete(line)\n    if",
        'if (g === 0) return this.answerAsked(line, fetch, held, until, now)\n    this.fetches.delete(line)\n    if',
      ],
    ],
    settings: WRITES,
  },
  {
    name: 'an invalidation is acknowledged and the copy kept',
    file: 'controller.ts',
    edits: [['this.session.epoch && copy.g <= t)', 'this.session.epoch && copy.g < 0)']],
    settings: WRITES,
  },
  {
    name: 'one acknowledgement is not waited for',
    file: 'home-lines.ts',
    edits: [['busy.waits.size > 0', 'busy.waits.size > 1']],
    settings: WRITES,
  },
  {
    name: 'an answer without a grant is for those who came later, too',
    file: 'fetch.ts',
    edits: [
      [
        'const taken = fetch.waiters.slice(0, fetch.asked)\n  fetch.waiters = fetch.waiters.slice(fetch.asked)',
        'const taken = fetch.waiters\n  fetch.waiters = []',
      ],
    ],
    settings: { nodes: 2, loads: 4, writes: 1 },
  },
  {
    name: 'a revoked grant answers those who came later',
    file: 'controller.ts',
    edits: [
      [
        'for (const { ticket } of takeAsked(fetch)) this.port.answer',
        'if (fetch.killed > 0) fetch.asked = fetch.waiters.length\n    for (const { ticket } of takeAsked(fetch)) this.port.answer',
      ],
    ],
    settings: { nodes: 2, loads: 4, writes: 1 },
  },
  {
    name: 'a copy is read after the session is over',
    file: 'controller.ts',
    edits: [['return copy.epoch === session.epoch && now < session.leaseUntil', 'return copy.epoch === session.epoch']],
    settings: LEASES,
  },
  {
    name: 'the end of the session is not looked at on a miss',
    file: 'controller.ts',
    edits: [
      ['if (this.session.sid !== 0 && now >= this.session.leaseUntil) this.breakSession(now)', ''],
      ['|| now >= session.leaseUntil) return', ') return'],
    ],
    settings: { ...FAILOVER_IN_TIME, loads: 2, grants: 2, tries: 1 },
  },
  {
    name: 'a value is taken from another session',
    file: 'controller.ts',
    edits: [['|| session.sid !== message.sid', '']],
    settings: { ...CRASH, loads: 3 },
  },
  {
    name: 'a value is taken that answers another question',
    file: 'controller.ts',
    edits: [['|| fetch.rid !== message.rid', '']],
    settings: { ...WRITES, forgetful: false, evictions: true },
  },
  {
    name: 'copies outlive their session',
    file: 'node-session.ts',
    edits: [['session.epoch += 1', '']],
    settings: { ...LEASES, grants: 2 },
  },
  {
    name: 'a copy is granted while others are taken back',
    file: 'home-lines.ts',
    edits: [['return line.busy !== null || now < line.expectUntil', 'return now < line.expectUntil']],
    settings: WRITES,
  },
  {
    name: 'who asks gets what is not settled',
    file: 'home-lines.ts',
    edits: [['held: heldBefore(line.busy, now) ?? port.read(id)', 'held: port.read(id)']],
    settings: WRITES,
  },
  {
    name: 'a write that finds its copies being taken back is settled at once',
    file: 'home-lines.ts',
    edits: [
      [
        'busy.versions.push(version)\n  state.unsettled.set(version, id)',
        'if (busy.before === previous && busy.startedAt === now && home.counts.inv > 0) state.unsettled.set(version, id)',
      ],
    ],
    settings: { ...WRITES, preparing: true },
  },
  {
    name: 'an acknowledgement of an older invalidation counts',
    file: 'home-lines.ts',
    edits: [['|| busy.t !== t', '']],
    settings: { nodes: 1, loads: 3, writes: 2, forgetful: false },
  },
  {
    name: 'copies are granted outside of a session',
    file: 'home-lines.ts',
    edits: [['if (sessionOf(home, node, sid, now) === null) return refuse(home, node, sid)', '']],
    settings: { ...LEASES, loads: 2 },
  },
  {
    name: 'the copies of a session count as gone before it is over at the node',
    file: 'home-sessions.ts',
    edits: [['Math.max(peer.endsAt, askedAt + waitMs(options))', 'Math.max(peer.endsAt, askedAt + waitMs(options) - 1000)']],
    settings: LEASES,
  },
  {
    name: 'a renewal does not count at the home',
    file: 'home-sessions.ts',
    edits: [['peer.endsAt = Math.max(peer.endsAt, state.confirmedAt + waitMs(options))', '']],
    settings: LEASES,
  },
  {
    name: 'the lease is counted from when the answer came',
    file: 'node-session.ts',
    edits: [['const until = sent.at + leaseMs', 'const until = now + leaseMs']],
    settings: LEASES,
  },
  {
    name: 'an answer to an older try renews from the last one on',
    file: 'node-session.ts',
    edits: [['session.sends.find((send) => send.n === n)', 'session.sends.at(-1)']],
    settings: { ...LEASES, loads: 1, grants: 2, tries: 3, forgetful: false },
  },
  {
    name: 'an answer to an open from before the session ended opens another',
    file: 'node-session.ts',
    edits: [['  session.sends = []\n', '']],
    settings: { nodes: 1, loads: 2, writes: 1, time: 2, tries: 3, grants: 2, sessions: false, begin: KNOCKED_TWICE },
  },
  {
    name: 'a session goes on by the opening of another',
    file: 'controller.ts',
    edits: [['if (sid !== session.sid || sid === 0) return', 'if (session.sid === 0) return']],
    settings: { nodes: 1, loads: 2, writes: 1, time: 2, tries: 2, grants: 2, sessions: false },
  },
  {
    name: 'a late open ends the session',
    file: 'home-sessions.ts',
    edits: [
      ['if (n <= peer.tried) return', ''],
      ['peer.openedFor < first', 'peer.openedFor <= first'],
    ],
    settings: { nodes: 1, loads: 2, writes: 1, forgetful: false },
  },
  {
    name: 'a refused write takes back the invalidation that was begun for it',
    file: 'home-lines.ts',
    edits: [
      [
        'if (line !== undefined) line.expectUntil = -Infinity\n}',
        'if (line === undefined) return\n  line.expectUntil = -Infinity\n  line.busy = null\n}',
      ],
    ],
    settings: { ...WRITES, looks: 1 },
  },
  {
    name: 'an open that follows another ends the session of that',
    file: 'home-sessions.ts',
    edits: [['peer.openedFor < first', 'peer.openedFor < n']],
    settings: { nodes: 1, loads: 2, writes: 1, time: 1, tries: 2, grants: 2, sessions: false },
  },
  {
    name: 'an open leaves the session before it as it is',
    file: 'home-sessions.ts',
    edits: [['peer.openedFor < first', 'peer.openedFor < 0']],
    settings: CRASH,
  },
  {
    name: 'a session is opened on a confirmation that was asked for before',
    file: 'home-sessions.ts',
    edits: [['{ n, ask: state.asked + 1 }]', '{ n, ask: 0 }]']],
    settings: { nodes: 1, loads: 2, writes: 1, terms: 2, tries: 1, crashes: 1, sessions: false, grants: 1 },
  },
  {
    name: 'a new home does not wait for anybody',
    file: 'home-opening.ts',
    edits: [['missing(home).length > 0', 'missing(home).length < 0']],
    settings: FAILOVER,
  },
  {
    name: 'a new home does not wait long enough',
    file: 'home-opening.ts',
    edits: [['if (now < state.startedAt + waitMs(options) &&', 'if (now < state.startedAt + waitMs(options) - 1000 &&']],
    settings: FAILOVER_IN_TIME,
  },
  {
    name: 'a new home opens sessions before it speaks',
    file: 'home-sessions.ts',
    edits: [
      ["assert(state.open, 'a silent home opens no session')", ''],
      ['if (!state.open) return\n', ''],
    ],
    settings: { ...FAILOVER, nodes: 2, grants: 2, begin: [/getS of n0/, /dataS to n0/, /home 2 is elected/, /view to n1/] },
  },
  {
    name: 'a new home waits only for those it knew when it was elected',
    file: 'home-opening.ts',
    edits: [['state.holders = new Set(holders)\n  openIf', 'openIf']],
    settings: { ...OPENING, lagging: true },
  },
  {
    name: 'a home answers before it speaks',
    file: 'directory.ts',
    edits: [['return this.home.state.open && !this', 'return !this']],
    settings: FAILOVER,
  },
  {
    name: 'a newer term is acknowledged and not remembered',
    file: 'controller.ts',
    edits: [
      [
        'if (message.term > session.term) this',
        "if (message.type === 'view') {\n if (session.sid !== 0) this.loseCopies()\n } else if (message.term > session.term) this",
      ],
      [
        'this.owner.viewFrom = from\n        return this.owner.acknowledgeView()',
        "return this.port.send(from, { type: 'viewAck', term: message.term })",
      ],
    ],
    settings: OPENING,
  },
  {
    name: 'older terms are listened to',
    file: 'controller.ts',
    edits: [['if (message.term < session.term) return', '']],
    settings: { ...FAILOVER, crashes: 1, forgetful: false, grants: 2 },
  },
  {
    name: 'a newer term is acknowledged and the copies kept',
    file: 'controller.ts',
    edits: [['if (session.sid !== 0) this.breakSession(now)\n  }\n\n  private loseCopies', '}\n\n  private loseCopies']],
    settings: FAILOVER,
  },
]

/** A home asks to let a node go that is idle; another is elected before that is in the log, and the node comes back to it. */
const LET_GO = [
  /time/,
  /time/,
  /home 1 ticks/,
  /time/,
  /home 1 ticks/,
  /elected with 2 entries of home 1/,
  /committed/,
  /home 2 applies/,
  /view to n0/,
  /viewAck of n0/,
  /open 2 of n0 to home 2/,
  /home 2 is confirmed/,
  /home 2 hears/,
  /opened to n0/,
  /getS of n0 to home 2/,
  /dataS to n0/,
]

/** A home that was deposed and does not know it hears the owner knock at the next one, and thinks that it is gone. */
const LATE_RELEASE = [...OWNED, /n1 claims/, /getM of n1 to home 1/, /home 2 is elected/, /view to n0/, /open 2 of n0 to home 1/]

/** A write that the next home does not have. */
const FORKED = [/home 1 proposes put/, /home 2 is elected with 2/]

export const DRIVER_MUTANTS: readonly DriverMutant[] = [
  { name: 'a write is answered before it is settled', rules: { gate: false }, settings: WRITES },
  { name: 'a repeated answer passes the gate of a silent home', rules: { gateRepeated: false }, settings: FAILOVER },
  { name: 'what was only seen passes the gate', rules: { gateLooks: false }, settings: { ...WRITES, looks: 1 } },
  { name: 'a write that is asked for again is made again', rules: { once: false }, settings: { ...WRITES, nodes: 1 } },
  { name: 'the log of a deposed home goes on', rules: { fenced: false }, settings: { ...FAILOVER, deposed: true, begin: FORKED } },
  { name: 'a session is opened before its hold is committed', rules: { holdCommitted: false }, settings: OPENING },
  {
    name: 'the lease stands on when the confirmation came',
    rules: { leaseFromAsking: false },
    settings: { ...FAILOVER_IN_TIME, loads: 1, tries: 3, grants: 1, time: 4, lease: 3, begin: UNHEARD },
  },
  { name: 'a new home reads before its first entry is applied', rules: { caughtUp: false }, settings: { ...FAILOVER, lagging: true } },
  {
    name: 'what an older home asked to forget is forgotten though the node came back',
    rules: { unholdInTerm: false },
    settings: { nodes: 1, loads: 1, writes: 1, terms: 3, time: 3, tries: 2, grants: 2, begin: LET_GO },
  },
  {
    name: 'what an owner flushes counts though its ownership is over',
    rules: { flushFenced: false },
    settings: { ...OWNERS, nodes: 1, loads: 2, writes: 3, looks: 1, time: 2, lossy: true, begin: OVER_AND_TAKEN },
  },
  {
    name: 'what an older home asked to give ends the ownership of another',
    rules: { ownInTerm: false },
    settings: { ...OWNERS_FAILOVER, loads: 2, sessions: false, begin: GIVEN_TWICE },
  },
  {
    name: 'what a node let go ends the ownership after it',
    rules: { releaseByNumber: false },
    settings: { ...OWNERS, nodes: 1, loads: 4, releases: true, begin: [...OWNED.slice(0, -1), /n0 lets go/] },
  },
  {
    name: 'what an older home asked to end is ended before its owner has flushed for the new one',
    rules: { releaseInTerm: false },
    settings: { ...OWNERS, nodes: 2, loads: 4, terms: 2, tries: 2, deposed: true, begin: LATE_RELEASE },
  },
  { name: 'a node forgets how often it has knocked when it restarts', rules: { lives: false }, settings: CRASH },
]
