/** A copy and the lease under which it may be read: it is looked at with each read, for timers may be late. */
import { expect, test } from 'vitest'
import { HELD, LINE, owner, sharer } from '../../../test/cache/controller-bed.ts'
import { UNSEEN_MS } from '../../io/suspend-aware-clock.ts'
import { HOME_DEFAULTS } from './home.ts'
import { leaseLeftMs, waitMs } from './lease.ts'

test('a copy is not read after its lease, though nothing has ticked since', () => {
  const { controller } = sharer()
  // From when the open was sent.
  expect(controller.load(LINE, 2, 10_000, 2_099)?.held.version).toBe(3)
  expect(controller.load(LINE, 3, 10_000, 2_100)).toBeNull()
})

test('an owner neither reads nor writes after its lease, though nothing has ticked since', () => {
  const { controller } = owner(20)
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
