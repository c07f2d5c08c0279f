import { expect, test } from 'vitest'
import { backoffMs } from './backoff.ts'

const plain = { baseMs: 100, factor: 2, maxMs: 1_000, jitter: 0 }

test('doubles from the base up to the most, and no further', () => {
  expect([1, 2, 3, 4, 5, 1_000].map((nth) => backoffMs(plain, nth, 1, 1))).toEqual([100, 200, 400, 800, 1_000, 1_000])
  expect(backoffMs({ ...plain, factor: 1 }, 900, 1, 1)).toBe(100)
  expect(backoffMs({ ...plain, baseMs: 0 }, 5, 1, 1)).toBe(0)
  expect(backoffMs({ ...plain, baseMs: 5_000 }, 1, 1, 1)).toBe(1_000)
})

test('jitter is within its share, differs from message to message, and is the same for the same', () => {
  const waits = Array.from({ length: 2_000 }, (_, seq) => backoffMs({ ...plain, jitter: 0.2 }, 1, 3, seq + 1))
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(80)
  expect(Math.max(...waits)).toBeLessThanOrEqual(120)
  expect(new Set(waits).size).toBe(40)
  const mean = waits.reduce((sum, wait) => sum + wait, 0) / waits.length
  expect(Math.abs(mean - 99.5)).toBeLessThan(1)
  expect(waits[7]).toBe(backoffMs({ ...plain, jitter: 0.2 }, 1, 3, 8))
})

test('the exact values are part of the state machine: they may not change', () => {
  const jittered = { baseMs: 500, factor: 2, maxMs: 60_000, jitter: 0.2 }
  expect([1, 2, 3, 9].map((nth) => backoffMs(jittered, nth, 7, 2 ** 40 + 5))).toMatchInlineSnapshot(`
    [
      579,
      1185,
      2117,
      70933,
    ]
  `)
})
