/** What homes and nodes remember of each other is bounded, whatever comes; and what counts is what came last, or what was there first. */
import { expect, test } from 'vitest'
import { Directory } from './directory.ts'
import { NOTHING_HELD } from './held.ts'
import { HOME_DEFAULTS } from './home.ts'
import { createSession, leaseOf, nextTry } from './node-session.ts'
import { SILENT_HOME } from './model/silent-ports.ts'
import type { ToNode } from './protocol.ts'

const TERM = 1

/** It speaks. What it asks to be confirmed is so once the test says so. */
function homeOf() {
  const sent: ToNode[] = []
  const asked: number[] = []
  const directory: Directory = new Directory(
    { ...HOME_DEFAULTS, term: TERM },
    {
      ...SILENT_HOME,
      send: (_, message) => void sent.push(message),
      hold: (node) => directory.held(node, 0),
      confirm: (ask) => void asked.push(ask),
    },
  )
  directory.start(0, [])
  directory.caughtUp([], 0)
  const confirm = (now: number): void => asked.splice(0).forEach((ask) => directory.confirmed(ask, now))
  return { directory, sent, confirm }
}

test('of a node that knocks again and again: its first tries, for one of those is confirmed soonest, and the last', () => {
  const { directory, sent, confirm } = homeOf()
  for (let n = 1; n <= 100; n++) directory.receive('n2', { type: 'open', n, first: 1 }, n)
  const openings = directory.home.state.peers.get('n2')?.openings ?? []
  expect(openings.map(({ n }) => n)).toEqual([1, 2, 3, 4, 5, 6, 7, 100])
  confirm(110)
  expect(sent.filter(({ type }) => type === 'opened').length).toBeGreaterThan(0)
})

test('of lines: the last thousand or so that were invalidated', () => {
  const { directory, confirm } = homeOf()
  directory.receive('n2', { type: 'open', n: 1, first: 1 }, 1)
  confirm(2)
  const sid = directory.home.state.peers.get('n2')?.sid ?? 0
  for (let nth = 0; nth < 1_500; nth++) {
    const line = `line ${nth}`
    directory.receive('n2', { type: 'getS', term: TERM, sid, rid: nth, line }, 3)
    directory.changed({ line, version: nth + 1, cause: 'put', own: 0 }, NOTHING_HELD, 3)
    directory.receive('n2', { type: 'invAck', term: TERM, t: directory.home.state.g, line }, 4)
  }
  const isKnown = (nth: number): boolean => directory.view(`line ${nth}`).last !== null
  expect([isKnown(0), isKnown(400), isKnown(500), isKnown(1_499)]).toEqual([false, false, true, true])
  expect(directory.home.past.size).toBe(1_024)
  expect(directory.home.state.unsettled.size).toBe(0)
})

test('of its tries a node remembers the last sixteen: an answer to an older one is worth nothing', () => {
  const session = createSession(1)
  const tries = Array.from({ length: 100 }, (_, nth) => nextTry(session, nth))
  expect(session.sends).toHaveLength(16)
  expect(leaseOf(session, tries[83] ?? 0, 1_000, 100)).toBeNull()
  expect(leaseOf(session, tries[84] ?? 0, 1_000, 100)).toBe(1_084)
})
