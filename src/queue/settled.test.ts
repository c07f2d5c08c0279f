import { expect, test } from 'vitest'
import { Changes } from '../base/changes.ts'
import type { Stored } from './stored.ts'
import { Settled } from './settled.ts'
import { QUEUE_LIMITS } from './types.ts'

test('what is remembered does not depend on who asked when', () => {
  const [asked, quiet, other] = Array.from({ length: 3 }, (_, nth) => new Settled(new Changes<Stored>(), nth + 1)) as [
    Settled,
    Settled,
    Settled,
  ]
  const last = QUEUE_LIMITS.settledMax * 2
  for (let seq = 1; seq <= last; seq++) {
    for (const settled of [asked, quiet]) settled.add(seq, seq + 7)
    expect(asked.has(seq, seq + 7)).toBe(true)
    expect(asked.has(seq, seq + 6)).toBe(false)
    if (seq % 1_000 === 0) expect(other.has(seq, seq + 7)).toBe(false)
  }
  const known = (settled: Settled) => Array.from({ length: last }, (_, nth) => settled.has(nth + 1, nth + 8))
  const knownToAsked = known(asked)
  expect(knownToAsked).toEqual(known(quiet))
  const count = knownToAsked.filter(Boolean).length
  expect(count).toBeGreaterThanOrEqual(QUEUE_LIMITS.settledMax)
  expect(count).toBeLessThan(QUEUE_LIMITS.settledMax + 200)
  asked.forget()
  expect(asked.has(last, last + 7)).toBe(false)
})
