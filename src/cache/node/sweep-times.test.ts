/** How far who keeps copies may rely on what it was told, while what tags killed is swept. */
import { expect, test } from 'vitest'
import { SweepTimes } from './sweep-times.ts'

const NONE = Infinity

test('without invalidations nothing is held up', () => {
  expect(new SweepTimes().promise(NONE, 5_000)).toEqual({ since: Infinity, lagMs: 0, slowEndAt: -Infinity })
})

test('what is to be swept holds it where it began, to the grain', () => {
  const times = new SweepTimes()
  times.bumped(7, 1_000)
  times.bumped(9, 1_010)
  times.bumped(12, 1_100)
  // Never later than it was.
  expect([7, 9, 11, 12, 20].map((version) => times.promise(version, 1_200).since)).toEqual([1_000, 1_000, 1_000, 1_100, 1_100])
  // Of an older home.
  expect(times.promise(6, 1_200).since).toBe(-Infinity)
})

test('what is older than any lease is too long ago', () => {
  const times = new SweepTimes()
  times.bumped(7, 1_000)
  times.bumped(9, 4_001)
  expect(times.promise(7, 4_001).since).toBe(-Infinity)
  expect(times.promise(9, 4_001).since).toBe(4_001)
})

test('a quick sweep counts by what it took, for as long as a lease lasts; the longest of them', () => {
  const times = new SweepTimes()
  times.bumped(1, 1_000)
  times.bumped(2, 1_050)
  times.swept(2, 1_060)
  expect(times.promise(NONE, 1_060)).toMatchObject({ lagMs: 10 })
  times.swept(1, 1_080)
  times.bumped(3, 2_000)
  times.swept(3, 2_020)
  expect(times.promise(NONE, 2_020)).toMatchObject({ lagMs: 80, slowEndAt: -Infinity })
  expect(times.promise(NONE, 4_080)).toMatchObject({ lagMs: 80 })
  expect(times.promise(NONE, 4_081)).toMatchObject({ lagMs: 20 })
  expect(times.promise(NONE, 5_021)).toMatchObject({ lagMs: 0 })
})

test('of a slow one, or one of which nobody knows when it began, the end counts', () => {
  const times = new SweepTimes()
  times.bumped(5, 1_000)
  times.swept(5, 1_251)
  expect(times.promise(NONE, 1_300)).toEqual({ since: Infinity, lagMs: 0, slowEndAt: 1_251 })
  times.swept(4, 1_400)
  expect(times.promise(NONE, 4_400)).toMatchObject({ slowEndAt: 1_400 })
  expect(times.promise(NONE, 4_401)).toMatchObject({ slowEndAt: -Infinity })
})

test('after a suspension nobody knows how long ago anything began', () => {
  const times = new SweepTimes()
  times.bumped(5, 1_000)
  times.suspended()
  expect(times.promise(5, 1_010).since).toBe(-Infinity)
  times.swept(5, 1_010)
  expect(times.promise(NONE, 1_010)).toMatchObject({ lagMs: 0, slowEndAt: 1_010 })
})
