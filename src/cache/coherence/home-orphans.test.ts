/** Lines that are owned and that nobody holds: the home ends that by itself, slowly, and touches no others. */
import { expect, test } from 'vitest'
import type { Millis, NodeId } from '../../base/ids.ts'
import { Directory } from './directory.ts'
import { HOME_DEFAULTS } from './home.ts'
import { SILENT_HOME } from './model/silent-ports.ts'
import type { LineId, ToNode } from './protocol.ts'

const { holderIdleMs } = HOME_DEFAULTS
const GONE = 200

/** What is in the log lasts over homes. */
class Log {
  readonly owned = new Map<LineId, { line: LineId; node: NodeId; own: number }>()
  readonly holders = new Set<NodeId>()
  owns = 0
}

class Bed {
  now = 1_000
  readonly log: Log
  readonly sids = new Map<NodeId, number>()
  /** Asked for and not committed yet. */
  releases: { line: LineId; own: number }[] = []
  releasesMost = 0
  readonly directory: Directory
  private rid = 0
  private readonly term: number

  constructor(log: Log, term: number, now: Millis) {
    this.log = log
    this.term = term
    this.now = now
    this.directory = new Directory(
      { ...HOME_DEFAULTS, term },
      {
        ...SILENT_HOME,
        send: (to, message) => this.told(to, message),
        hold: (node) => {
          log.holders.add(node)
          this.directory.held(node, this.now)
        },
        unhold: (node) => void log.holders.delete(node),
        owned: (line) => log.owned.get(line)?.own ?? 0,
        eachOwned: () => log.owned.values(),
        own: (line, node) => {
          log.owns += 1
          log.owned.set(line, { line, node, own: log.owns })
          this.directory.given(line, { own: log.owns, versionFirst: 1, versionMax: 9 }, this.now)
        },
        release: (line, own) => void this.releases.push({ line, own }),
        confirm: (ask) => this.directory.confirmed(ask, this.now),
      },
    )
    this.directory.start(now, log.holders)
    this.directory.caughtUp([], now)
  }

  open(node: NodeId, n: number): void {
    this.directory.receive(node, { type: 'open', n, first: n }, this.now)
  }

  own(node: NodeId, line: LineId): void {
    const sid = this.sids.get(node) ?? 0
    this.directory.receive(node, { type: 'getM', term: this.term, sid, rid: ++this.rid, line }, this.now)
  }

  /** `alive` renew their sessions. What the home wants to be committed is so after 100 ms. */
  pass(ms: Millis, alive: readonly NodeId[] = []): void {
    for (const end = this.now + ms; this.now < end;) {
      this.now += 100
      for (const node of alive) {
        this.directory.receive(node, { type: 'renew', term: this.term, sid: this.sids.get(node) ?? 0, n: this.now }, this.now)
      }
      this.releasesMost = Math.max(this.releasesMost, this.releases.length)
      for (const { line, own } of this.releases.splice(0)) {
        if (this.log.owned.get(line)?.own === own) this.log.owned.delete(line)
        this.directory.released(line, this.now)
      }
      if (this.directory.dueAt <= this.now) this.directory.tick(this.now)
    }
  }

  ownedBy(node: NodeId): number {
    return [...this.log.owned.values()].filter((owned) => owned.node === node).length
  }

  private told(to: NodeId, message: ToNode): void {
    if (message.type === 'opened') this.sids.set(to, message.sid)
  }
}

/** `a` and `b` own lines of a home that is there since 1,000 ms. */
function bed(): Bed {
  const all = new Bed(new Log(), 1, 1_000)
  all.open('a', 1)
  all.open('b', 1)
  for (let nth = 0; nth < GONE; nth++) all.own('a', `a ${nth}`)
  for (let nth = 0; nth < 10; nth++) all.own('b', `b ${nth}`)
  expect([all.ownedBy('a'), all.ownedBy('b')]).toEqual([GONE, 10])
  return all
}

test('those of an owner that is gone for long are taken back, a few at a time; those of another stay', () => {
  const all = bed()
  all.pass(holderIdleMs, ['b'])
  expect(all.ownedBy('a')).toBe(GONE)
  all.pass(holderIdleMs, ['b'])
  expect([all.ownedBy('a'), all.ownedBy('b')]).toEqual([0, 10])
  expect(all.releasesMost).toBe(32)
  expect(all.directory.size).toBe(10)
  expect(all.directory.home.round.ending.size).toBeLessThanOrEqual(32)
})

test('those that a node forgot in a restart are taken back though it has a session again, and what it owns anew is not', () => {
  const all = bed()
  all.open('a', 2)
  all.own('a', 'anew')
  all.own('a', 'a 7')
  all.pass(100, ['a', 'b'])
  all.pass(2 * holderIdleMs, ['a', 'b'])
  expect([...all.log.owned.values()].filter(({ node }) => node === 'a').map(({ line }) => line)).toEqual(['anew', 'a 7'])
  expect(all.ownedBy('b')).toBe(10)
})

test('a new home takes back what an older one gave, if its owner does not come back', () => {
  const { log, now } = bed()
  const next = new Bed(log, 2, now)
  next.pass(holderIdleMs - 1_000)
  expect([next.ownedBy('a'), next.ownedBy('b')]).toEqual([GONE, 10])
  next.pass(holderIdleMs)
  expect(log.owned.size).toBe(0)
  expect(next.directory.size).toBe(0)
  expect(next.directory.tick(next.now)).toBe(Infinity)
})
