import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { DEFAULT_OPTIONS } from '../../../test/scenarios/world.ts'
import { Inflights } from './inflights.ts'
import { Progress } from './progress.ts'

const options = { ...DEFAULT_OPTIONS, self: 1 }

function replicating(match: number, next: number): Progress {
  const progress = new Progress(2, match + 1, false, true, options)
  progress.acknowledged(match)
  progress.becomeReplicate()
  if (next > match + 1) progress.sent(next - 1, 10)
  return progress
}

test('a refusal in replicate goes back to what is acknowledged, and no further', () => {
  const progress = replicating(5, 11)
  expect(progress.rejected(10, 2)).toBe(true)
  expect([progress.state, progress.match, progress.next]).toEqual(['probe', 5, 6])
})

test('an old refusal moves nothing (pitfall 9)', () => {
  const progress = replicating(5, 11)
  expect(progress.rejected(5, 2)).toBe(false)
  expect(progress.rejected(3, 0)).toBe(false)
  expect([progress.state, progress.match, progress.next]).toEqual(['replicate', 5, 11])
  progress.becomeProbe()
  expect(progress.rejected(9, 2)).toBe(false)
  expect(progress.next).toBe(6)
})

test('a probe goes back by the hint', () => {
  const progress = new Progress(2, 100, false, true, options)
  progress.sent(99, 0)
  expect(progress.probeSent).toBe(true)
  expect(progress.rejected(99, 40)).toBe(true)
  expect([progress.next, progress.probeSent]).toEqual([41, false])
  // Whatever the hint says, it goes back.
  expect(progress.rejected(40, 70)).toBe(true)
  expect(progress.next).toBe(40)
})

test('after a snapshot the next entry is the one behind it', () => {
  const progress = new Progress(2, 1, false, true, options)
  progress.becomeSnapshot(50)
  progress.becomeProbe()
  expect(progress.next).toBe(51)
  progress.becomeSnapshot(80)
  progress.snapshotIndex = 0
  progress.becomeProbe()
  expect(progress.next).toBe(1)
})

test('match never falls and stays below next, whatever is answered in whatever order', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('ack'), a: fc.nat(30), b: fc.nat(30) }),
    fc.record({ kind: fc.constant('reject'), a: fc.nat(30), b: fc.nat(30) }),
    fc.record({ kind: fc.constantFrom('probe', 'replicate', 'send', 'snapshot'), a: fc.nat(30), b: fc.nat(30) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const progress = new Progress(2, 10, false, true, options)
      for (const { kind, a, b } of steps) {
        const before = progress.match
        if (kind === 'ack') progress.acknowledged(a)
        if (kind === 'reject') progress.rejected(a, b)
        if (kind === 'probe') progress.becomeProbe()
        if (kind === 'replicate') progress.becomeReplicate()
        if (kind === 'snapshot') progress.becomeSnapshot(a)
        if (kind === 'send' && !progress.inflights.full) progress.sent(progress.next, 1)
        expect(progress.match).toBeGreaterThanOrEqual(before)
        expect(progress.next).toBeGreaterThan(progress.match)
      }
    }),
  )
})

test('the window agrees with a list', () => {
  const step = fc.oneof(fc.record({ add: fc.integer({ min: 1, max: 30 }) }), fc.record({ free: fc.nat(10) }))
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.array(step, { maxLength: 60 }), (most, steps) => {
      const window = new Inflights(most, 50)
      let naive: { index: number; bytes: number }[] = []
      let last = 0
      for (const action of steps) {
        const bytes = naive.reduce((sum, send) => sum + send.bytes, 0)
        expect(window.full).toBe(naive.length === most || bytes >= 50)
        if ('free' in action) {
          const to = last - action.free
          window.freeTo(to)
          naive = naive.filter((send) => send.index > to)
        } else if (!window.full) {
          window.add(++last, action.add)
          naive.push({ index: last, bytes: action.add })
        }
        expect(window.count).toBe(naive.length)
        expect(window.bytes).toBe(naive.reduce((sum, send) => sum + send.bytes, 0))
      }
    }),
  )
})
