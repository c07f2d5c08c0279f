/** What a node may do with a line that it owns, and what it owes to whom. */
import { expect, test } from 'vitest'
import { Controller } from './controller.ts'
import { CONTROLLER_DEFAULTS } from './controller-port.ts'
import type { Copy } from './copies.ts'
import type { Held, ToHome } from './protocol.ts'

const LINE = 'e7.1.defaultca'
const HELD = { version: 3, value: new Uint8Array([1]), contentType: '', ttlLeftMs: null, slidingMs: 0, tags: [] }
const make = (version: number): Held => ({ ...HELD, version })

/** The home `n1` of term 1 has given it the line at 160, with the versions 10 and 11. */
function owner() {
  const sent: ToHome[] = []
  const controller = new Controller({ ...CONTROLLER_DEFAULTS, life: 1 }, new Map<string, Copy>(), {
    send: (_, message) => void sent.push(message),
    answer: () => {},
    failed: () => {},
    flush: () => {},
    release: () => {},
    lost: () => {},
    callBack: () => {},
  })
  controller.own(LINE, 1, 10_000, 100)
  const open = sent.at(-1)
  if (open?.type !== 'open') throw new Error('no session is opened')
  controller.receive('n1', { type: 'opened', term: 1, sid: 1, n: open.n, leaseMs: 2_000 }, 150)
  const asked = sent.at(-1)
  if (asked?.type !== 'getM') throw new Error('nothing is asked')
  const given = { own: 7, versionFirst: 10, versionMax: 11 }
  controller.receive('n1', { type: 'dataX', term: 1, sid: 1, rid: asked.rid, line: LINE, g: 1, held: HELD, ...given }, 160)
  return { controller, sent }
}

test('the versions of an ownership are all that it may give: then the line is asked for again', () => {
  const { controller, sent } = owner()
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
  const { controller, sent } = owner()
  const acks = (): ToHome[] => sent.filter(({ type }) => type === 'viewAck' || type === 'invAck')
  controller.write(LINE, make, 170)
  controller.receive('n1', { type: 'recall', term: 1, t: 2, gx: 1, line: LINE }, 180)
  controller.receive('n2', { type: 'view', term: 2 }, 190)
  expect(acks()).toEqual([])
  controller.flushed(LINE, 7, 10, true, 200)
  expect(acks()).toEqual([{ type: 'viewAck', term: 2 }])
})

test('a line whose flush is refused is read and written no more: what is there since is another’s', () => {
  const { controller } = owner()
  controller.write(LINE, make, 170)
  controller.tick(300)
  controller.flushed(LINE, 7, 10, false, 310)
  expect(controller.load(LINE, 2, 10_000, 320)).toBeNull()
  expect(controller.write(LINE, make, 320)).toBeNull()
})
