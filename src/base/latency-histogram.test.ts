import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LATENCY_BOUNDS_MS, LatencyHistogram } from './latency-histogram.ts'

test('every duration is counted in its bucket, however many there are', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.double({ min: 0, max: 10_000, noNaN: true }), fc.constantFrom(...LATENCY_BOUNDS_MS))), (durations) => {
      const histogram = new LatencyHistogram()
      for (const ms of durations) histogram.observe(ms)
      const bounds = [...LATENCY_BOUNDS_MS, Infinity]
      const expected = bounds.map((bound, i) => durations.filter((ms) => ms <= bound && ms > (bounds[i - 1] ?? -1)).length)
      expect([...histogram.counts]).toEqual(expected)
      expect(histogram.count).toBe(durations.length)
      expect(histogram.sumMs).toBeCloseTo(
        durations.reduce((sum, ms) => sum + ms, 0),
        3,
      )
    }),
  )
})
