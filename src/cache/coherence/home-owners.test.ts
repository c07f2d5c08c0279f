/** What a home does with questions for a line that one node writes alone. */
import { expect, test } from 'vitest'
import type { NodeId } from '../../base/ids.ts'
import { Directory } from './directory.ts'
import { HOME_DEFAULTS } from './home.ts'
import { LINE } from '../../../test/cache/controller-bed.ts'
import { SILENT_HOME } from './model/silent-ports.ts'
import type { ToNode } from './protocol.ts'

/** A home with one session of `a`, whose log says nothing by itself. */
function bed() {
  const sent: ToNode[] = []
  const asked: NodeId[] = []
  const directory: Directory = new Directory(
    { ...HOME_DEFAULTS, term: 1 },
    {
      ...SILENT_HOME,
      send: (_, message) => sent.push(message),
      hold: (node) => directory.held(node, 0),
      own: (_, node) => asked.push(node),
      confirm: (ask) => directory.confirmed(ask, 0),
    },
  )
  directory.start(0, [])
  directory.caughtUp([], 0)
  directory.receive('a', { type: 'open', n: 1, first: 1 }, 0)
  const [opened] = sent.splice(0)
  if (opened?.type !== 'opened') throw new Error('no session')
  const { sid } = opened
  const getM = (rid: number, now: number): void => directory.receive('a', { type: 'getM', term: 1, sid, rid, line: LINE }, now)
  const given = (now: number): void => directory.given(LINE, { own: 1, versionFirst: 1, versionMax: 9 }, now)
  return { sent, asked, getM, given, types: () => sent.splice(0).map(({ type }) => type) }
}

test('who asks again while the log is slow is not the next who wants it: it is given the line, and keeps it', () => {
  const { asked, getM, given, types } = bed()
  getM(1, 0)
  for (const now of [50, 150]) getM(1, now)
  given(200)
  expect([asked, types()]).toEqual([['a'], ['dataX']])
  // What it was told was lost.
  getM(1, 350)
  expect([asked, types()]).toEqual([['a'], ['dataX']])
})

test('who asks anew, having given up what it asked before, takes back what that is given', () => {
  const { getM, given, types } = bed()
  getM(1, 0)
  getM(2, 50)
  given(200)
  expect(types()).toEqual(['dataX', 'recall'])
})
