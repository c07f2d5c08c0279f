import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Changes } from '../base/changes.ts'
import type { Stored } from './stored.ts'
import { type MarkCursor, Marks } from './marks.ts'

function newCursor(): MarkCursor {
  return { markFrom: 0, markUntil: 0, markTime: 0, markChunk: null, markAt: 0 }
}

const times = fc.array(fc.constantFrom(0, 0, 0, 1, 3, 700), { minLength: 1, maxLength: 2_000, size: 'max' })

test('the time of every message is known exactly, asked in order or not, with and without what was dropped', () => {
  let pages = 0
  fc.assert(
    fc.property(times, fc.nat(), fc.boolean(), (steps, seed, drops) => {
      const marks = new Marks(new Changes<Stored>(), 1)
      const truth: number[] = [0]
      const following = newCursor()
      let now = 5
      let asked = 1
      for (const [at, step] of steps.entries()) {
        now += step
        marks.add(at + 1, now, true)
        truth.push(now)
        // One that follows behind, as a lane does that is consumed.
        if (at % 3 === 0) continue
        expect(marks.timeOf(asked, at + 1, following)).toBe(truth[asked])
        asked += 1
        if (drops) marks.dropBefore(asked)
      }
      pages = Math.max(pages, marks.chunks.length)
      const from = drops ? asked : 1
      const random = newCursor()
      for (let nth = 0; nth < 20; nth++) {
        const seq = Math.min(steps.length, from + ((seed + nth * 7919) % steps.length))
        expect(marks.timeOf(seq, steps.length, random)).toBe(truth[seq])
      }
    }),
    { numRuns: 60 },
  )
  expect(pages).toBeGreaterThan(1)
})

test('marks that nobody needs are given up', () => {
  const changes = new Changes<Stored>()
  const marks = new Marks(changes, 1)
  for (let seq = 1; seq <= 3_000; seq++) marks.add(seq, seq, true)
  expect(marks.chunks.length).toBeGreaterThan(2)
  marks.dropBefore(3_000)
  expect(marks.chunks).toEqual([])
  for (let seq = 3_001; seq <= 6_000; seq++) marks.add(seq, seq, false)
  expect(marks.chunks).toEqual([])
  expect(changes.size).toBe(0)
})
