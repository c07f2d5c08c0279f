import { expect, test } from 'vitest'
import { Bed, NAME, SHARE, putOf } from '../../../test/cache/bed.ts'
import { tagLine } from '../line-id.ts'
import { encodeCommand } from './codec.ts'
import type { Plain } from '../../actors/envelope.ts'
import { gateOf } from './replies.ts'
import { type CacheReply, MACHINE_LIMITS, type SweepWhat } from './commands.ts'

const TAG = tagLine(NAME.namespace, NAME.cache, 't')
const U = tagLine(NAME.namespace, NAME.cache, 'u')
const LARGE = { ...SHARE, entries: 1e6, bytes: 1e9 }
type Swept = Extract<CacheReply, { type: 'swept' }>

function sweep(bed: Bed, what: SweepWhat, below = 0, after = 0): Swept {
  return bed.run({ type: 'cache_sweep', ...NAME, what, below, after }) as Swept
}

function fill(bed: Bed, count: number, over: (nth: number) => Partial<Parameters<typeof putOf>[2]>): void {
  for (let nth = 0; nth < count; nth++) {
    const command = putOf(`k${nth}`, 'v', { share: LARGE, ...over(nth) })
    bed.machine.apply(bed, ++bed.ticket, encodeCommand(command))
  }
}

test('keys are invalidated by name', () => {
  const bed = new Bed()
  bed.put('a', '1')
  bed.put('b', '1')
  expect(bed.run({ type: 'cache_invalidate_keys', ...NAME, keys: ['a', 'none', 'a'] })).toEqual({
    type: 'invalidated',
    removed: 1,
    owned: [],
  })
  expect(bed.there(['a', 'b'])).toBe('b')
  expect(bed.changes.at(-1)).toMatchObject({ reason: 'invalidate', at: 3 })
})

test('a sweep takes what carries an older version of the line', () => {
  const bed = new Bed()
  bed.put('a', '1', { tags: [[TAG, 0]] })
  bed.put('b', '1', { tags: [[TAG, 3]] })
  bed.put('c', '1', { tags: [[TAG, 5]] })
  bed.put('d', '1', { tags: [[U, 0]] })
  bed.put('b', '2', { tags: [[TAG, 2]] })
  expect(sweep(bed, { line: TAG }, 5)).toEqual({ type: 'swept', removed: 2, more: false, after: 0, below: 5, owned: [] })
  expect(bed.there(['a', 'b', 'c', 'd'])).toBe('cd')
  expect(bed.run({ type: 'cache_sweep', ...NAME, cache: 'other', what: { line: TAG }, below: 9, after: 0 })).toMatchObject({
    code: 'INVALID_ARGUMENT',
  })
})

test('a sweep takes the oldest versions of the line first, whichever came first', () => {
  const bed = new Bed()
  for (const [key, version] of [
    ['a', 3],
    ['b', 1],
    ['c', 3],
    ['d', 2],
  ] as const)
    bed.put(key, '1', { tags: [[TAG, version]] })
  const copy = bed.copy()
  for (const each of [bed, copy]) {
    const before = each.changes.length
    sweep(each, { line: TAG }, 9)
    expect(each.changes.slice(before).map(({ previous }) => previous.version)).toEqual([2, 4, 1, 3])
  }
})

test('sweeps are paced', () => {
  const bed = new Bed()
  const count = 2 * MACHINE_LIMITS.sweepMax + 5
  fill(bed, count, () => ({ tags: [[TAG, 0]] }))
  const pages = [sweep(bed, { line: TAG }, 1), sweep(bed, { line: TAG }, 1), sweep(bed, { line: TAG }, 1)]
  expect(pages.map(({ removed, more }) => [removed, more])).toEqual([
    [MACHINE_LIMITS.sweepMax, true],
    [MACHINE_LIMITS.sweepMax, true],
    [5, false],
  ])
  // The oldest first.
  expect(bed.changes.slice(count, count + 2)).toMatchObject([{ previous: { version: 1 } }, { previous: { version: 2 } }])
})

test('a prefix is found a page at a time; what came after it began stays, what changed goes', () => {
  const bed = new Bed()
  fill(bed, MACHINE_LIMITS.sweepScanMax + 10, () => ({}))
  const first = sweep(bed, { prefix: 'k2000' })
  expect(first).toMatchObject({ removed: 1, more: true, after: MACHINE_LIMITS.sweepScanMax, below: MACHINE_LIMITS.sweepScanMax + 11 })
  bed.put('k20001new', 'new', { share: LARGE })
  // Made of what is invalidated: it was there before.
  bed.put('k20005', '41', { share: LARGE, condition: MACHINE_LIMITS.sweepScanMax + 6 })
  // One made of records, that never saw the first page.
  const copy = bed.copy()
  for (const each of [bed, copy]) {
    expect(sweep(each, { prefix: 'k2000' }, first.below, first.after)).toMatchObject({ removed: 10, more: false })
    expect(each.get('k20001new')).toBe('new')
    expect(each.get('k20005')).toBe(null)
    expect(each.get('k2001')).toBe('v')
  }
})

test('who sweeps by name waits for what was taken away before, and may be served still', () => {
  const bed = new Bed()
  bed.put('a', '1')
  bed.run({ type: 'cache_delete', ...NAME, key: 'a', condition: null, dead: 0, known: null, own: 0 })
  bed.put('b', '1')
  const gate = (what: SweepWhat, below = 0) => {
    const command = { type: 'cache_sweep', ...NAME, what, below, after: 0 } as const
    return gateOf(bed.machine.apply(bed, ++bed.ticket, encodeCommand(command)) as Plain)
  }
  expect(gate({ prefix: 'a' })).toEqual({ versions: [], lines: [], below: 4 })
  expect(gate({ all: true })).toEqual({ versions: [4], lines: [], below: 4 })
  // Who reads looks at the line itself.
  expect(gate({ line: TAG }, 2)).toEqual({ versions: [], lines: [], below: 0 })
})

test('all goes, a page at a time', () => {
  const bed = new Bed()
  fill(bed, MACHINE_LIMITS.sweepMax + 1, () => ({}))
  const first = sweep(bed, { all: true })
  expect(first).toMatchObject({ removed: MACHINE_LIMITS.sweepMax, more: true })
  expect(sweep(bed, { all: true }, first.below, first.after)).toMatchObject({ removed: 1, more: false })
  expect(bed.status()).toMatchObject({ entries: 0, bytes: 0 })
})

test('a smaller share takes effect at once, in steps', () => {
  const bed = new Bed()
  fill(bed, 3 * MACHINE_LIMITS.sweepMax, () => ({}))
  bed.run({ type: 'cache_limits', ...NAME, share: { ...SHARE, entries: 10, configVersion: 1 } })
  expect(bed.status()).toMatchObject({ entries: 2 * MACHINE_LIMITS.sweepMax, evictions: MACHINE_LIMITS.sweepMax })
  expect(bed.machine.nextDeadline()).toBe(0)
  const copy = bed.copy()
  for (const each of [bed, copy]) {
    each.pass(0)
    expect(each.status()).toMatchObject({ entries: MACHINE_LIMITS.sweepMax })
    each.pass(0)
    expect(each.status()).toMatchObject({ entries: 10 })
    expect(each.machine.nextDeadline()).toBe(Infinity)
    expect(each.get(`k${3 * MACHINE_LIMITS.sweepMax - 10}`)).toBe('v')
  }
})

test('what expires at once goes in steps', () => {
  const bed = new Bed()
  fill(bed, MACHINE_LIMITS.sweepMax + 1, () => ({ ttlMs: 10 }))
  bed.pass(10)
  expect(bed.status()).toMatchObject({ entries: 1 })
  bed.pass(0)
  expect(bed.status()).toMatchObject({ entries: 0 })
})
