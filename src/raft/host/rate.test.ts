/** The cap on bytes per second. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Rate } from './rate.ts'

/** What goes in `steps` of time when pieces of this size always wait. */
function sent(rate: Rate, piece: number, steps: readonly number[]): number {
  let [now, bytes] = [0, 0]
  for (const step of steps) {
    now += step
    while (rate.open(now)) {
      rate.spend(piece)
      bytes += piece
    }
  }
  return bytes
}

describe('a rate', () => {
  test('keeps to the mean, but for the burst at the start and one piece', () => {
    const steps = fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 200 })
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 200_000 }), (waits, piece) => {
        const time = waits.reduce((sum, one) => sum + one, 0)
        const total = sent(new Rate(1_000_000, 0), piece, waits)
        expect(total).toBeLessThanOrEqual(time * 1_000 + 100_000 + piece)
        if (waits.length > 0) expect(total).toBeGreaterThanOrEqual(time * 1_000)
      }),
    )
  })

  test('what was not used in a pause is not saved up', () => {
    const rate = new Rate(1_000_000, 0)
    expect(sent(rate, 1_000, [60_000])).toBe(100_000)
  })

  test('0 is no cap', () => {
    const rate = new Rate(0, 0)
    rate.spend(1e12)
    expect(rate.open(0)).toBe(true)
  })
})
