import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { SuspendAwareClock, UNSEEN_MS } from './suspend-aware-clock.ts'

/** Both clocks by hand; the wall tells whole milliseconds. */
function twoClocks() {
  const at = { monotonic: 5_000.25, wall: 1_000_000_000 }
  const clock = new SuspendAwareClock({
    now: () => at.monotonic,
    wall: () => Math.floor(at.wall),
    after: () => ({ cancel() {} }),
    defer() {},
  })
  const pass = (ms: number): void => {
    at.monotonic += ms
    at.wall += ms
  }
  return { at, clock, pass }
}

test('a suspension counts, however often the clock is read, and only there', () => {
  const { at, clock, pass } = twoClocks()
  const [from, running] = [clock.now(), clock.running()]
  pass(100)
  at.wall += 60_000
  expect(clock.now() - from).toBeGreaterThanOrEqual(60_100 - 1)
  expect(clock.running() - running).toBe(100)
  expect(clock.runningSince).toBe(clock.running())
  pass(100)
  expect(clock.now() - from).toBeLessThan(60_201)
})

test('a wall that is set back lengthens nothing, and a suspension after it counts', () => {
  const { at, clock, pass } = twoClocks()
  const from = clock.now()
  at.wall -= 3_600_000
  pass(50)
  expect(clock.now() - from).toBe(50)
  expect(clock.runningSince).toBe(-Infinity)
  at.wall += 2_000
  expect(clock.now() - from).toBeGreaterThanOrEqual(2_050 - 1)
})

test('roundings do not add up', () => {
  const { clock, pass } = twoClocks()
  const from = clock.now()
  for (let i = 0; i < 20_000; i++) {
    pass(0.37)
    clock.now()
  }
  expect(clock.now() - from).toBeCloseTo(7_400, 3)
})

test('it never goes back, and is never behind what has passed by more than is said, however the wall jumps forward', () => {
  const step = fc.oneof(
    fc.record({ passed: fc.double({ min: 0, max: 500, noNaN: true }) }),
    fc.record({ suspended: fc.double({ min: 0, max: 5_000, noNaN: true }) }),
    fc.record({ setForward: fc.nat(100_000) }),
    fc.record({ setBack: fc.nat(100_000) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { at, clock, pass } = twoClocks()
      const from = clock.now()
      let [truth, last] = [0, from]
      for (const what of steps) {
        if ('passed' in what) pass(what.passed)
        else if ('suspended' in what) at.wall += what.suspended
        else if ('setForward' in what) at.wall += what.setForward
        else at.wall -= what.setBack
        truth += 'passed' in what ? what.passed : 'suspended' in what ? what.suspended : 0
        const now = clock.now()
        expect(now).toBeGreaterThanOrEqual(last)
        expect(now - from).toBeGreaterThanOrEqual(truth - UNSEEN_MS - 1)
        last = now
      }
    }),
  )
})
