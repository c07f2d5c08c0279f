import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { PAGE_MESSAGES, Presence } from './presence.ts'

test('a presence is a set of numbers, in order', () => {
  const run = fc.record({ gap: fc.constantFrom(1, 2, 31, 5_000), count: fc.constantFrom(1, 30, 32, 100, 9_000) })
  fc.assert(
    fc.property(fc.array(run, { maxLength: 8 }), fc.nat({ max: 20_000 }), fc.nat({ max: 6 }), (runs, from, nth) => {
      const presence = new Presence()
      const truth = new Set<number>()
      let next = 1
      for (const { gap, count } of runs) {
        next += gap
        presence.addRun(next, count)
        for (let seq = next; seq < next + count; seq++) truth.add(seq)
        next += count
      }
      for (const seq of [...truth].filter((_, at) => at % 7 <= nth)) {
        presence.remove(seq)
        truth.delete(seq)
      }
      expect(presence.size).toBe(truth.size)
      expect([...presence.from(from)]).toEqual([...truth].filter((seq) => seq >= from))
      for (let seq = 0; seq < next + 10; seq += 13) expect(presence.has(seq)).toBe(truth.has(seq))
    }),
  )
})

test('one that is left over holds one page', () => {
  const presence = new Presence()
  presence.addRun(1, 10 * PAGE_MESSAGES)
  for (let seq = 1; seq <= 10 * PAGE_MESSAGES; seq++) if (seq !== 12_345) presence.remove(seq)
  expect(presence.take().map(([number, { count }]) => [number, count])).toEqual([[Math.floor(12_345 / PAGE_MESSAGES), 1]])
  expect(presence.size).toBe(0)
})
