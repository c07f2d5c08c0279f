import { expect, test } from 'vitest'
import { Bed, NAME, SHARE, putOf } from '../../../test/cache/bed.ts'
import { entryLine } from '../line-id.ts'
import { CACHE_LIMITS } from '../types.ts'
import { encodeCommand } from './codec.ts'
import { type CacheCommand, type CacheReply, type FlushCommand, MACHINE_LIMITS } from './commands.ts'

const { sweepMax } = MACHINE_LIMITS
const WIDE = { ...SHARE, entries: 10_000 }
const LINE = entryLine(NAME.namespace, NAME.cache, 'a')
const OWNED = { type: 'owned', line: LINE, node: 'n1', own: 1 }
const SWEEP = { type: 'cache_sweep', ...NAME, what: { all: true }, below: 0, after: 0 } as const
const FENCED = { type: 'refused', code: 'FENCED' }

function own(bed: Bed, node = 'n1', count = 10): CacheReply | null {
  return bed.run({ type: 'cache_own', line: LINE, node, count, term: 1 })
}

function flush(bed: Bed, number: number, version: number, text: string | null, over: Partial<FlushCommand> = {}): CacheReply | null {
  const value = text === null ? null : new TextEncoder().encode(text)
  const rest = { contentType: text === null ? '' : 'text/plain', ttlMs: null, slidingMs: 0, tags: [], share: SHARE }
  return bed.run({ type: 'cache_flush', line: LINE, own: number, version, value, ...rest, ...over })
}

const release = (bed: Bed, number: number, term = 0) => bed.run({ type: 'cache_release', line: LINE, own: number, term })

test('an owner has versions of its own, and what it flushes has them', () => {
  const bed = new Bed()
  bed.put('a', '1')
  expect(own(bed)).toEqual({ type: 'own', own: 1, versionFirst: 2, versionMax: 11 })
  expect(bed.machine.ownerOf(LINE)).toMatchObject({ node: 'n1', own: 1, versionFirst: 2, versionMax: 11 })
  bed.put('b', '1')
  expect(flush(bed, 1, 4, 'x')).toEqual({ type: 'flushed', version: 4 })
  expect(bed.held('a')).toMatchObject({ version: 4 })
  expect(bed.get('a')).toBe('x')
  expect(bed.changes.at(-1)).toMatchObject({ at: 13, version: 4, line: LINE, reason: 'put', own: 1, previous: { version: 1 } })
  // Said twice.
  expect(flush(bed, 1, 4, 'x')).toEqual({ type: 'flushed', version: 4 })
  expect(bed.machine.version).toBe(13)
  expect(flush(bed, 1, 5, null)).toEqual({ type: 'flushed', version: 5 })
  expect(bed.held('a')).toMatchObject({ version: 0, value: null })
  expect(flush(bed, 1, 11, 'y')).toMatchObject({ type: 'flushed' })
  expect(flush(bed, 1, 12, 'z')).toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect(release(bed, 1)).toEqual({ type: 'released', released: true })
  expect(release(bed, 1)).toEqual({ type: 'released', released: false })
  expect(bed.put('a', '2')).toMatchObject({ version: 16 })
  expect(bed.machine.owners()).toEqual([])
})

test('writes of others meet the owner', () => {
  const bed = new Bed()
  own(bed)
  expect(bed.put('a', '1')).toEqual(OWNED)
  expect(bed.delete('a')).toEqual(OWNED)
  expect(bed.increment('a', 1)).toEqual(OWNED)
  expect(bed.load('a')).toEqual(OWNED)
  expect(bed.run({ type: 'cache_invalidate_keys', ...NAME, keys: ['a', 'b'] })).toEqual({ type: 'invalidated', removed: 0, owned: ['a'] })
  expect(bed.put('a', '1', { own: 2 })).toEqual(OWNED)
  release(bed, 1)
  expect(bed.put('a', '1', { own: 1 })).toMatchObject(FENCED)
  expect(bed.put('a', '1')).toMatchObject({ type: 'put' })
})

test('an owner that was followed by another can write nothing any more', () => {
  const bed = new Bed()
  own(bed)
  expect(own(bed, 'n2')).toMatchObject({ own: 2, versionFirst: 11 })
  expect(flush(bed, 1, 1, 'old')).toMatchObject({ ...FENCED, details: { own: 2 } })
  expect(release(bed, 1)).toMatchObject({ released: false })
  expect(flush(bed, 2, 11, 'new')).toMatchObject({ type: 'flushed' })
  expect(bed.machine.owners()).toMatchObject([{ node: 'n2', own: 2 }])
})

test('a write through the log, under the ownership, passes what could still be flushed', () => {
  const bed = new Bed()
  own(bed)
  expect(bed.put('a', '1', { own: 1 })).toMatchObject({ version: 11 })
  expect(bed.changes.at(-1)).toMatchObject({ own: 1 })
  expect(flush(bed, 1, 3, 'older')).toMatchObject(FENCED)
  expect(bed.get('a')).toBe('1')
})

test('what is owned is neither evicted nor expired nor swept, until it is released', () => {
  const bed = new Bed()
  const share = { ...SHARE, entries: 2 }
  bed.put('a', '1', { ttlMs: 100, share })
  own(bed)
  for (const key of ['b', 'c', 'd']) bed.put(key, '1', { share })
  bed.pass(500)
  expect(bed.there(['a', 'b', 'c', 'd'])).toBe('ad')
  expect(bed.run(SWEEP)).toMatchObject({ removed: 1, owned: ['a'] })
  release(bed.copy(), 1)
  // Whoever asked for it is answered before anything else is applied.
  release(bed, 1)
  expect(bed.get('a')).toBeNull()
  expect(bed.changes.at(-1)).toMatchObject({ line: LINE, reason: 'expire', own: 0 })
})

test('what its owner deletes and puts again while a sweep by name is under way is as old as the ownership: it is met by a later page', () => {
  const bed = new Bed()
  for (let nth = 0; nth < sweepMax; nth++) bed.put(`k${nth}`, '1', { share: WIDE })
  bed.put('a', '1', { share: WIDE })
  own(bed)
  const first = bed.machine.version - 9
  const page = bed.run(SWEEP)
  expect(page).toMatchObject({ removed: sweepMax, more: true, owned: ['a'] })
  flush(bed, 1, first, null)
  flush(bed, 1, first + 1, '2')
  const { below, after } = page as Extract<CacheReply, { type: 'swept' }>
  for (const each of [bed.copy(), bed]) {
    expect(each.run({ ...SWEEP, below, after })).toMatchObject({ removed: 0, more: false, owned: ['a'] })
    release(each, 1)
    expect(each.run({ ...SWEEP, below, after })).toMatchObject({ removed: 1, more: false, owned: [] })
  }
})

/** Among many: the whole state is not checked each time. */
function apply(bed: Bed, command: CacheCommand): void {
  bed.machine.apply(bed, ++bed.ticket, encodeCommand(command))
}

function give(bed: Bed, key: string, node: string): void {
  apply(bed, { type: 'cache_own', line: entryLine(NAME.namespace, NAME.cache, key), node, count: 10, term: 1 })
}

/** It is given back, with what its owner wrote; null: that it is gone. */
function takeBack(bed: Bed, key: string, text: string | null): void {
  const line = entryLine(NAME.namespace, NAME.cache, key)
  const { own: number, versionFirst } = bed.machine.ownerOf(line) as { own: number; versionFirst: number }
  const value = text === null ? null : new TextEncoder().encode(text)
  const rest = { contentType: '', ttlMs: null, slidingMs: 0, tags: [], share: WIDE }
  apply(bed, { type: 'cache_flush', line, own: number, version: versionFirst, value, ...rest })
  apply(bed, { type: 'cache_release', line, own: number, term: 0 })
}

test('a sweep by name has its end though all that is given back is owned again at once', () => {
  const bed = new Bed()
  const keys = Array.from({ length: 2 * sweepMax + 500 }, (_, nth) => `k${nth}`)
  for (const key of keys) give(bed, key, 'n1')
  const told = new Set<string>()
  let [below, isOver] = [0, false]
  for (let sweeps = 0; !isOver; sweeps++) {
    expect(sweeps).toBeLessThan(3)
    const reply = bed.run({ ...SWEEP, below }) as Extract<CacheReply, { type: 'swept' }>
    below = reply.below
    isOver = !reply.more || reply.after > 0
    for (const key of reply.owned) {
      told.add(key)
      takeBack(bed, key, '1')
      give(bed, key, 'n2')
    }
  }
  expect(told.size).toBe(keys.length)
})

test('what was written before a sweep by name is met by it, whoever owns the line by then, and what is newer is not', () => {
  const bed = new Bed()
  for (let nth = 0; nth < sweepMax; nth++) give(bed, `k${nth}`, 'n1')
  for (const key of ['a', 'b', 'c', 'd']) give(bed, key, 'n1')
  const page = bed.run(SWEEP) as Extract<CacheReply, { type: 'swept' }>
  expect([page.more, page.owned.length]).toEqual([true, sweepMax])
  for (const key of page.owned) takeBack(bed, key, null)
  // Written before, as far as anybody knows: left to nobody; left to another; gone in between, and there again.
  for (const key of ['a', 'b', 'c']) takeBack(bed, key, '1')
  for (const key of ['b', 'c']) give(bed, key, 'n2')
  takeBack(bed, 'c', null)
  bed.put('c', '2', { share: WIDE })
  for (const key of ['c', 'e']) give(bed, key, 'n2')
  for (const each of [bed.copy(), bed]) {
    expect(each.run({ ...SWEEP, below: page.below })).toMatchObject({ removed: 1, more: false, owned: ['d', 'b'] })
    expect([each.get('a'), each.get('b'), each.get('c')]).toEqual([null, '1', '2'])
  }
})

test('what became owned while a sweep by name was under way is told by its later pages', () => {
  const bed = new Bed()
  for (let nth = 0; nth < sweepMax; nth++) bed.put(`k${nth}`, '1', { share: WIDE })
  bed.put('a', '1', { share: WIDE })
  const page = bed.run(SWEEP)
  expect(page).toMatchObject({ more: true, owned: [] })
  own(bed)
  const { below, after } = page as Extract<CacheReply, { type: 'swept' }>
  const later = { ...SWEEP, below, after }
  expect(bed.run(later)).toMatchObject({ removed: 0, more: false, owned: ['a'] })
  // Each page tells what it has met, and nothing of others.
  expect(bed.run(later)).toMatchObject({ removed: 0, more: false, owned: ['a'] })
  release(bed, 1)
  expect(bed.run({ ...later, what: { prefix: 'other' } })).toMatchObject({ removed: 0, more: false, owned: [] })
})

test('owning ends a load', () => {
  const bed = new Bed()
  bed.granted('a')
  bed.load('a', { waitMs: 1_000 })
  own(bed)
  expect(bed.settledLog).toEqual([{ ticket: 2, reply: OWNED }])
})

test('ownership survives in the records, in the order of the changes', () => {
  const bed = new Bed()
  bed.put('a', '1')
  own(bed)
  bed.put('b', '1')
  flush(bed, 1, 3, 'x', { ttlMs: 50 })
  const copy = bed.copy((keys) => keys.reverse())
  expect(copy.put('a', '1')).toEqual(OWNED)
  expect(copy.machine.ownerOf(LINE)).toEqual(bed.machine.ownerOf(LINE))
  expect(flush(copy, 1, 3, 'x')).toMatchObject({ type: 'flushed' })
  expect(copy.machine.version).toBe(bed.machine.version)
  copy.pass(100)
  expect(copy.get('a')).toBe('x')
})

test('what a home of another term asked to give is not given: it would end what was given since', () => {
  const bed = new Bed()
  const given = bed.run({ type: 'cache_own', line: LINE, node: 'n1', count: 3, term: 1 })
  expect(bed.run({ type: 'cache_own', line: LINE, node: 'n2', count: 3, term: 0 })).toMatchObject({ type: 'refused', code: 'FENCED' })
  expect(given).toMatchObject({ type: 'own' })
  expect(bed.machine.ownerOf(LINE)).toMatchObject({ node: 'n1' })
})

test('a line of a cache that would find no place is given to nobody', () => {
  const bed = new Bed()
  for (let nth = 0; nth < CACHE_LIMITS.cachesPerPartitionMax; nth++) {
    bed.machine.apply(bed, nth + 1, encodeCommand(putOf('a', '1', { cache: `c${nth}` })))
  }
  bed.ticket = CACHE_LIMITS.cachesPerPartitionMax
  expect(own(bed)).toMatchObject({ type: 'refused', code: 'QUOTA' })
  expect(bed.machine.ownerOf(LINE)).toBeNull()
})

test('a home that is no more ends no ownership: its owner may be flushing what the next one waits for', () => {
  const bed = new Bed()
  own(bed)
  expect(release(bed, 1, 2)).toMatchObject(FENCED)
  expect(flush(bed, 1, 1, 'x')).toMatchObject({ type: 'flushed' })
  expect(release(bed, 1, 1)).toEqual({ type: 'released', released: true })
})
