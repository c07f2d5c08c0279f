/** What a home does with questions for a line that one node writes alone. */
import { expect, test } from 'vitest'
import type { NodeId } from '../../base/ids.ts'
import { Directory } from './directory.ts'
import { NOTHING_HELD } from './held.ts'
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
  return { directory, sent, asked, getM, given, types: () => sent.splice(0).map(({ type }) => type) }
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

test('a line that is to be cleared is given to nobody until it is, or for three seconds', () => {
  const { directory, asked, getM, given, types } = bed()
  directory.clearing(LINE, 0)
  getM(1, 10)
  expect([asked, types()]).toEqual([[], ['dataU']])
  // Nobody holds it, so it is not tracked.
  expect(directory.size).toBe(0)
  // That writes it through the log: it is there, and is to go still.
  directory.changed({ line: LINE, version: 1, cause: 'put', own: 0 }, NOTHING_HELD, 20)
  getM(2, 30)
  expect([asked, types()]).toEqual([[], ['dataU']])
  directory.changed({ line: LINE, version: 2, cause: 'invalidate', own: 0 }, NOTHING_HELD, 40)
  getM(3, 50)
  given(60)
  expect([asked.splice(0), types()]).toEqual([['a'], ['dataX']])
  const late = bed()
  late.directory.clearing(LINE, -2_500)
  // It was told once more that it is owned.
  late.directory.clearing(LINE, -2_000)
  late.getM(1, 999)
  expect([late.asked, late.types()]).toEqual([[], ['dataU']])
  late.getM(2, 1_000)
  expect([late.asked, late.types()]).toEqual([['a'], []])
  // What is over is forgotten with the next.
  late.directory.clearing('another', 1_000)
  expect([...late.directory.home.clearing.keys()]).toEqual(['another'])
})

test('who asked for it while it had an owner is not given it either, once it is given back', () => {
  const { directory, asked, getM, given, types } = bed()
  getM(1, 0)
  given(10)
  expect(types()).toEqual(['dataX'])
  directory.clearing(LINE, 20)
  getM(2, 30)
  expect(types()).toEqual(['recall'])
  directory.receive('a', { type: 'invAck', term: 1, t: directory.home.state.g, line: LINE }, 40)
  expect([asked, types()]).toEqual([['a'], ['dataU']])
})
