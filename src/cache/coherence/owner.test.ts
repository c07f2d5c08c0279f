/** What a node may do with a line that it owns, and what it owes to whom. */
import { expect, test } from 'vitest'
import { HELD, LINE, owner } from '../../../test/cache/controller-bed.ts'
import type { Held, ToHome } from './protocol.ts'

const make = (version: number): Held => ({ ...HELD, version })

test('the versions of an ownership are all that it may give: then the line is asked for again', () => {
  const { controller, sent } = owner(11)
  expect(controller.write(LINE, make, 170)?.held.version).toBe(10)
  expect(controller.write(LINE, make, 170)?.held.version).toBe(11)
  expect(controller.write(LINE, make, 170)).toBeNull()
  expect(controller.load(LINE, 2, 10_000, 170)?.held.version).toBe(11)
  const questions = (): number => sent.filter(({ type }) => type === 'getM').length
  const before = questions()
  expect(controller.own(LINE, 3, 10_000, 170)).toBeNull()
  expect(questions()).toBe(before + 1)
})

test('what an older home took back is not acknowledged to a newer one: its numbers mean something else there', () => {
  const { controller, sent } = owner(11)
  const acks = (): ToHome[] => sent.filter(({ type }) => type === 'viewAck' || type === 'invAck')
  controller.write(LINE, make, 170)
  controller.receive('n1', { type: 'recall', term: 1, t: 2, gx: 1, line: LINE }, 180)
  controller.receive('n2', { type: 'view', term: 2 }, 190)
  expect(acks()).toEqual([])
  controller.flushed(LINE, 7, 10, true, 200)
  expect(acks()).toEqual([{ type: 'viewAck', term: 2 }])
})

test('a line whose flush is refused is read and written no more: what is there since is another’s', () => {
  const { controller } = owner(11)
  controller.write(LINE, make, 170)
  controller.tick(300)
  controller.flushed(LINE, 7, 10, false, 310)
  expect(controller.load(LINE, 2, 10_000, 320)).toBeNull()
  expect(controller.write(LINE, make, 320)).toBeNull()
})

test('what it is given and does not wait for any more goes back; what it owns does not, however often it is told', () => {
  const { controller, released, given } = owner(11)
  controller.receive('n1', given, 170)
  controller.receive('n1', { ...given, rid: given.rid + 1, own: 6 }, 170)
  controller.receive('n1', { ...given, sid: 2, own: 8 }, 170)
  expect(released).toEqual([])
  controller.giveUp(LINE)
  expect(released).toEqual([7])
  controller.receive('n1', given, 180)
  expect(released).toEqual([7, 7])
})

test('who gave up its question does not keep the line; who still asks with its lease over does not give it back', () => {
  const { controller, released, given } = owner(11)
  controller.giveUp(LINE)
  expect(controller.own(LINE, 2, 500, 200)).toBeNull()
  const again = { ...given, rid: given.rid + 1, own: 8, g: 3 }
  controller.receive('n1', again, 5_000)
  expect(released).toEqual([7])
  controller.tick(500)
  controller.receive('n1', again, 510)
  expect(released).toEqual([7, 8])
  expect(controller.stateOf(LINE, 520)).toBe('I')
})
