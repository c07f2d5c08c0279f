import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Changes } from '../base/changes.ts'
import type { Stored } from './stored.ts'
import { Runs } from './runs.ts'

/** Appends rising numbers with few gaps and few kinds of traits, and takes some out in between. */
const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ gap: fc.constantFrom(0, 0, 0, 1, 5, 70_000), traits: fc.constantFrom(10, 10, 11, 1280) }) },
    { weight: 2, arbitrary: fc.constant('shift' as const) },
  ),
  { maxLength: 400, size: 'max' },
)

test('runs are a list of numbers with traits, whatever pages they are in', () => {
  let pages = 0
  fc.assert(
    fc.property(steps, (list) => {
      const runs = new Runs(new Changes<Stored>(), 1, 0)
      const plain: (readonly [seq: number, traits: number])[] = []
      let next = 1
      for (const step of list) {
        if (step === 'shift') {
          if (plain.length === 0) continue
          expect([runs.first, runs.traits]).toEqual(plain.shift())
          runs.shift()
        } else {
          next += step.gap
          plain.push([next, step.traits])
          runs.append(next++, step.traits)
        }
        pages = Math.max(pages, runs.chunks.length)
      }
      expect(runs.size).toBe(plain.length)
      const listed = [...runs].flatMap(([first, count]) => Array.from({ length: count }, (_, at) => first + at))
      listed.sort((a, b) => a - b)
      expect(listed).toEqual(plain.map(([seq]) => seq))
    }),
  )
  expect(pages).toBeGreaterThan(0)
})

test('ten million in a row are one run; alternating ones take a few bytes each', () => {
  const changes = new Changes<Stored>()
  const runs = new Runs(changes, 1, 0)
  for (let seq = 1; seq <= 1_000_000; seq++) runs.append(seq, 10)
  expect([runs.size, runs.count, runs.chunks.length, changes.size]).toEqual([1_000_000, 1_000_000, 0, 0])
  const other = new Runs(changes, 1, 1)
  for (let seq = 1; seq <= 100_000; seq++) other.append(seq * 2, 10)
  const bytes = other.chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  expect(bytes / 100_000).toBeLessThanOrEqual(3)
})

test('a page that is used up is not stored any more', () => {
  const changes = new Changes<Stored>()
  const runs = new Runs(changes, 1, 0)
  for (let seq = 1; seq <= 1_000; seq++) runs.append(seq * 2, 10)
  changes.drain(() => {})
  const pages = runs.chunks.length
  expect(pages).toBeGreaterThan(1)
  for (let seq = 1; seq <= 1_000; seq++) runs.shift()
  const gone: boolean[] = []
  changes.drain((_, isGone) => gone.push(isGone))
  expect(gone).toEqual(Array.from({ length: pages }, () => true))
})
