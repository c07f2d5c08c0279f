import { expect, test } from 'vitest'
import { SystemRandom } from './random-system.ts'

test('draws never repeat, across pages and sizes', () => {
  const random = new SystemRandom()
  const seen = new Set<string>()
  for (let i = 0; i < 2_000; i++) seen.add(Buffer.from(random.bytes(9 + (i % 5))).toString('hex'))
  expect(seen.size).toBe(2_000)
  expect(random.bytes(10_000)).toHaveLength(10_000)
  expect(random.bytes(0)).toHaveLength(0)
})

test('fractions and bounded draws stay in their ranges and fill them', () => {
  const random = new SystemRandom()
  const counts = [0, 0, 0, 0]
  for (let i = 0; i < 40_000; i++) {
    const fraction = random.next()
    if (fraction < 0 || fraction >= 1) throw new Error(String(fraction))
    counts[random.below(4)]!++
  }
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(600)
})
