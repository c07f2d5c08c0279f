import { expect, test } from 'vitest'
import { PingPong } from './ping-pong.ts'

test('a line counts once it was invalidated five times within ten seconds, and no longer than that lasts', () => {
  const lines = new PingPong()
  for (const at of [0, 1_000, 2_000, 3_000]) lines.invalidated('a', at)
  lines.invalidated('b', 3_000)
  expect(lines.count(3_000)).toBe(0)
  lines.invalidated('a', 4_000)
  expect(lines.count(4_000)).toBe(1)
  expect(lines.count(9_999)).toBe(1)
  expect(lines.count(10_000)).toBe(0)
  // The last five are what counts, not the first.
  lines.invalidated('a', 10_500)
  expect(lines.count(10_500)).toBe(1)
})

test('it forgets the oldest rather than grow', () => {
  const lines = new PingPong()
  for (let time = 0; time < 5; time++) lines.invalidated('a', time)
  for (let nth = 0; nth < 5_000; nth++) lines.invalidated(`line ${nth}`, 10)
  expect(lines.count(10)).toBe(0)
})
