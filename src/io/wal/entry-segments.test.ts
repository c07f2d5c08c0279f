/** Against a list of all entries and where they are. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EntrySegments } from './entry-segments.ts'

interface Place {
  readonly segment: number
  readonly index: number
}

const step = fc.record({
  does: fc.constantFrom('append', 'append', 'append', 'overwrite', 'roll', 'release', 'clear'),
  back: fc.nat(8),
})

test('holds every segment with an entry that is wanted, and none once all are released', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const segments = new EntrySegments()
      let wanted: Place[] = []
      let [segment, last, released] = [1, 0, 0]
      for (const { does, back } of steps) {
        if (does === 'roll') segment++
        else if (does === 'release') {
          released = Math.max(released, last - back)
          wanted = wanted.filter(({ index }) => index > released)
          segments.release(released)
        } else if (does === 'clear') {
          expect(segments.clear(back)).toBeLessThanOrEqual(Math.min(Infinity, ...wanted.map((place) => place.segment)))
          wanted = []
          last = released = back
        } else {
          const index = does === 'append' ? last + 1 : Math.max(released + 1, last - back)
          const voided = wanted.filter((place) => place.index >= index)
          wanted = wanted.filter((place) => place.index < index)
          expect(segments.write(segment, index)).toBeLessThanOrEqual(Math.min(Infinity, ...voided.map((place) => place.segment)))
          wanted.push({ segment, index })
          last = index
        }
        const held = new Set(segments.segments)
        for (const place of wanted) expect(held).toContain(place.segment)
        if (wanted.length === 0) expect(held.size).toBe(0)
      }
    }),
    { numRuns: 500 },
  )
})
