/** A copy and the lease under which it may be read: it is looked at with each read, for timers may be late. */
import { expect, test } from 'vitest'
import { UNSEEN_MS } from '../../io/suspend-aware-clock.ts'
import { CONTROLLER_DEFAULTS } from './controller-port.ts'
import { Controller } from './controller.ts'
import type { Copy } from './copies.ts'
import { HOME_DEFAULTS } from './home.ts'
import { leaseLeftMs, waitMs } from './lease.ts'
import type { ToHome } from './protocol.ts'

const LINE = 'e7.1.defaultca'
const HELD = { version: 3, value: new Uint8Array([1]), contentType: '', ttlLeftMs: null, slidingMs: 0, tags: [] }

test('a copy is not read after its lease, though nothing has ticked since', () => {
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
  controller.load(LINE, 1, 10_000, 100)
  const open = sent.at(-1)
  if (open?.type !== 'open') throw new Error('no session is opened')
  controller.receive('n1', { type: 'opened', term: 1, sid: 1, n: open.n, leaseMs: 2_000 }, 150)
  const asked = sent.at(-1)
  if (asked?.type !== 'getS') throw new Error('nothing is asked')
  controller.receive('n1', { type: 'dataS', term: 1, sid: 1, rid: asked.rid, line: LINE, g: 1, held: HELD }, 160)
  // From when the open was sent.
  expect(controller.load(LINE, 2, 10_000, 2_099)?.held.version).toBe(3)
  expect(controller.load(LINE, 3, 10_000, 2_100)).toBeNull()
})

test('an owner neither reads nor writes after its lease, though nothing has ticked since', () => {
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
  const given = { own: 7, versionFirst: 10, versionMax: 20 }
  controller.receive('n1', { type: 'dataX', term: 1, sid: 1, rid: asked.rid, line: LINE, g: 1, held: HELD, ...given }, 160)
  expect(controller.load(LINE, 2, 10_000, 2_099)?.held.version).toBe(3)
  expect(controller.write(LINE, (version) => ({ ...HELD, version }), 2_099)?.held.version).toBe(10)
  expect(controller.write(LINE, (version) => ({ ...HELD, version }), 2_100)).toBeNull()
  expect(controller.load(LINE, 3, 10_000, 2_100)).toBeNull()
})

test('what a home waits covers what neither its clock nor the node’s sees of suspensions', () => {
  expect(HOME_DEFAULTS.marginMs).toBeGreaterThanOrEqual(5 + 2 * UNSEEN_MS)
})

test('what a home waits is longer than any lease lasts on a clock within the bound', () => {
  const times = { leaseMs: 2_000, drift: 0.01, marginMs: 5 }
  // The slowest holder, the fastest home.
  expect(waitMs(times) / (1 + times.drift)).toBeGreaterThan(times.leaseMs / (1 - times.drift))
  expect(leaseLeftMs(2_000, 100, 400)).toBe(1_700)
})
