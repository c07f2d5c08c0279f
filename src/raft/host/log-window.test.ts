/** How much of the log stays in memory for slow followers. */
import { expect, test } from 'vitest'
import type { Entry } from '../core/types.ts'
import { LogWindow } from './log-window.ts'

const entryOf = (index: number, bytes: number): Entry => ({ index, term: 1, type: 0, data: new Uint8Array(bytes) })

test('compaction leaves the latest entries, as many as their bytes allow', () => {
  const window = new LogWindow(10, [])
  for (let index = 11; index <= 30; index++) window.append(entryOf(index, 10_000))
  expect(window.compact(25, 60_000)).toBe(25)
  expect(window.compact(30, 60_000)).toBe(25)
  expect(window.compact(30, 0)).toBe(30)
  expect(window.bytes).toBe(0)
  window.reset(90)
  window.append(entryOf(91, 1))
  expect([window.compact(90, 0), window.bytes > 0]).toEqual([90, true])
})

test('an entry replaces what was there from its index on', () => {
  const window = new LogWindow(0, [entryOf(1, 100), entryOf(2, 100), entryOf(3, 100)])
  const before = window.bytes
  window.append(entryOf(2, 200))
  window.append(entryOf(3, 0))
  expect(window.bytes).toBe(before)
})

test('what a restart needs is what lies behind the checkpoint', () => {
  const window = new LogWindow(10, [entryOf(11, 1_000), entryOf(12, 2_000)])
  const [all] = [window.liveBytes]
  window.append(entryOf(13, 4_000))
  window.append(entryOf(14, 8_000))
  window.append(entryOf(13, 100))
  expect(window.liveBytes - all).toBeGreaterThanOrEqual(100)
  expect(window.liveBytes - all).toBeLessThan(200)
  window.checkpoint(12)
  window.compact(12, 0)
  const rest = window.liveBytes
  expect([rest >= 100, rest < 200]).toEqual([true, true])
  window.checkpoint(13)
  window.checkpoint(13)
  expect(window.liveBytes).toBe(0)
  window.append(entryOf(14, 100))
  expect(window.liveBytes).toBe(rest)
  window.reset(90)
  expect(window.liveBytes).toBe(0)
})

test('entries that hold next to nothing count for what they take in memory', () => {
  const window = new LogWindow(0, [])
  for (let index = 1; index <= 100_000; index++) window.append(entryOf(index, 9))
  expect(window.compact(100_000, 1_000_000)).toBeGreaterThan(95_000 - 1)
})
