/** Who comes back with a number alone: where it goes on from. */
import { expect, test } from 'vitest'
import { ManualClock } from '../../../test/manual-clock.ts'
import { PastSubscriptions } from './past-subscriptions.ts'

const FILTER = 'f'

function bed() {
  return new PastSubscriptions(new ManualClock(), { below: () => 0, bytes: () => new Uint8Array(0) } as never)
}

/** A subscription that has told so much, and is over. */
function told(pasts: PastSubscriptions, marks: readonly (readonly [seq: number, cursor: string])[], last: number): void {
  const [[seq, cursor], ...later] = marks as readonly [readonly [number, string], ...(readonly [number, string])[]]
  const past = pasts.began(FILTER, { seq, cursor })
  for (const [at, place] of later) pasts.mark(past, { seq: at, cursor: place })
  past.last = last
  pasts.over(past)
}

test('a number of a subscription that was resumed is a number of the one that resumed it', () => {
  const pasts = bed()
  // It told 100 changes, of which 50 were heard.
  told(
    pasts,
    [
      [0, 'c0'],
      [40, 'c40'],
      [55, 'c55'],
      [90, 'c90'],
    ],
    100,
  )
  expect(pasts.cursorAt(FILTER, 50)).toBe('c40')
  // So what it told as its 41st is told again as the 51st, and what was the 55th has not been heard by who has heard 60.
  told(pasts, [[50, 'c40']], 70)
  expect(pasts.cursorAt(FILTER, 60)).toBe('c40')
  expect(pasts.cursorAt(FILTER, 45)).toBe('c40')
  expect(pasts.cursorAt(FILTER, 95)).toBe('c90')
})

test('where the marks of the later one do not reach back so far, those of the earlier one tell nothing', () => {
  const pasts = bed()
  told(
    pasts,
    [
      [0, 'c0'],
      [55, 'c55'],
    ],
    100,
  )
  told(
    pasts,
    Array.from({ length: 20 }, (_, nth) => [50 + nth, `d${nth}`] as const),
    80,
  )
  expect(pasts.cursorAt(FILTER, 69)).toBe('d19')
  expect(pasts.cursorAt(FILTER, 56)).toBeNull()
  expect(pasts.cursorAt('another', 56)).toBeNull()
})
