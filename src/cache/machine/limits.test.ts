/**
 * How much a partition holds of what has no other bound. Each limit is reached: one less is taken, one more is refused with a code and a
 * hint and leaves nothing behind, and what was there before goes on.
 */
import { expect, test } from 'vitest'
import { Bed, NAME, SHARE, putOf } from '../../../test/cache/bed.ts'
import { entryLine, levelLine, tagLine } from '../line-id.ts'
import { CACHE_LIMITS } from '../types.ts'
import { Changes } from '../../base/changes.ts'
import { encodeCommand } from './codec.ts'
import { Ghosts } from './ghosts.ts'
import { type CacheCommand, type CacheReply, MACHINE_LIMITS } from './commands.ts'

const { cachesPerPartitionMax } = CACHE_LIMITS
const { configsMax, holdersMax, linesPerCommandMax, loadsMax, markersMax, ownedMax, sweepMax, waitersPerLoadMax } = MACHINE_LIMITS
const QUOTA = { type: 'refused', code: 'QUOTA', details: { hint: expect.any(String) as string } }
const OVERLOADED = { type: 'refused', code: 'OVERLOADED', details: { hint: expect.any(String) as string } }

/** Unchecked: the bed looks at the whole state after each command, which takes its time where there is much. */
function fill(bed: Bed, count: number, each: (nth: number) => CacheCommand): void {
  for (let nth = 0; nth < count; nth++) bed.machine.apply(bed, ++bed.ticket, encodeCommand(each(nth)))
}

/** Refused, and nothing has changed: no version was taken, nobody was told, nothing more is to be written. */
function refuses(bed: Bed, command: CacheCommand, refusal: object): void {
  const seen = (): readonly number[] => [bed.machine.version, bed.changes.length, bed.machine.dirty, bed.machine.dirtyBytes ?? 0]
  const before = seen()
  expect(bed.run(command)).toMatchObject(refusal)
  expect(seen()).toEqual(before)
}

test('caches: an empty one makes room, whoever puts', () => {
  const bed = new Bed()
  const own = (cache: string): CacheCommand => ({
    type: 'cache_own',
    line: entryLine('default', cache, 'a'),
    node: 'n1',
    count: 9,
    term: 1,
  })
  const increment = (cache: string): CacheCommand => {
    return { type: 'cache_increment', ...NAME, cache, key: 'a', by: 1, ttlMs: null, tags: [], share: SHARE, dead: 0, known: null, own: 0 }
  }
  const roomFor = (...caches: string[]): boolean => bed.machine.refusalOfPuts(caches.map((cache) => putOf('k', '', { cache }))) === null
  fill(bed, cachesPerPartitionMax - 1, (nth) => putOf('a', '1', { cache: `c${nth}` }))
  expect([roomFor('last'), roomFor('last', 'another')]).toEqual([true, false])
  expect(bed.run(putOf('a', '1', { cache: 'last' }))).toMatchObject({ type: 'put', created: true })
  expect([roomFor('c0'), roomFor('another')]).toEqual([true, false])
  refuses(bed, putOf('a', '1', { cache: 'another' }), QUOTA)
  refuses(bed, increment('another'), QUOTA)
  refuses(bed, own('another'), QUOTA)
  // Another key of a cache that is there.
  expect(bed.run(putOf('b', '1', { cache: 'c0' }))).toMatchObject({ type: 'put' })
  expect(bed.copy().run(putOf('a', '1', { cache: 'another' }))).toMatchObject(QUOTA)
  bed.delete('a', { cache: 'c1' })
  expect(roomFor('another')).toBe(true)
  expect(bed.run(increment('another'))).toMatchObject({ value: 1 })
  refuses(bed, putOf('a', '1', { cache: 'c1' }), QUOTA)
})

test('caches: what an owner flushes where its cache has lost its place is refused whole, and taken once there is room', () => {
  const bed = new Bed()
  const line = entryLine('default', 'mine', 'a')
  expect(bed.run({ type: 'cache_own', line, node: 'n1', count: 9, term: 1 })).toMatchObject({ type: 'own', versionFirst: 1 })
  fill(bed, cachesPerPartitionMax, (nth) => putOf('a', '1', { cache: `c${nth}` }))
  const value = Uint8Array.of(1)
  const rest = { contentType: '', ttlMs: null, slidingMs: 0, tags: [], share: SHARE }
  const flush: CacheCommand = { type: 'cache_flush', line, own: 1, version: 1, value, ...rest }
  refuses(bed, flush, QUOTA)
  bed.delete('a', { cache: 'c0' })
  expect(bed.run(flush)).toEqual({ type: 'flushed', version: 1 })
})

test('caches: a load whose put finds no room is over, and the next in line has it', () => {
  const bed = new Bed()
  const loadToken = bed.granted('a', { cache: 'another' })
  bed.load('a', { cache: 'another', waitMs: 1_000 })
  fill(bed, cachesPerPartitionMax, (nth) => putOf('a', '1', { cache: `c${nth}` }))
  expect(bed.put('a', '1', { cache: 'another', loadToken })).toMatchObject(QUOTA)
  expect(bed.settledLog).toMatchObject([{ ticket: 2, reply: { type: 'load', token: 2 } }])
})

test('configurations: one that is there changes, another is not made', () => {
  const bed = new Bed()
  const configure = (cache: string, ttlMs: number): CacheCommand => {
    return { type: 'cache_configure', namespace: 'default', cache, config: { ttlMs } }
  }
  fill(bed, configsMax - 1, (nth) => configure(`c${nth}`, 1))
  expect(bed.run(configure('last', 1))).toMatchObject({ type: 'configured', created: true })
  refuses(bed, configure('another', 1), QUOTA)
  expect(bed.run(configure('c0', 2))).toMatchObject({ type: 'configured', created: false, config: { ttlMs: 2 } })
})

test('tags and levels that were ever invalidated: those that are known go on, of several all or none', () => {
  const bed = new Bed()
  const tag = (nth: number): string => tagLine('default', 'c', `t${nth}`)
  const bump = (...lines: string[]): CacheCommand => ({ type: 'cache_bump', lines })
  const lines = (from: number): string[] => Array.from({ length: linesPerCommandMax }, (_, nth) => tag(from + nth))
  fill(bed, markersMax / linesPerCommandMax, (nth) => bump(...lines(nth * linesPerCommandMax)))
  const full = bed.machine.stats().markers
  expect(full).toBe(markersMax)
  refuses(bed, bump(tag(0), levelLine('default', 'c', 'a/')), QUOTA)
  expect(bed.machine.read(tag(0), 0).version).toBe(1)
  expect(bed.run(bump(tag(0), tag(1), tag(0)))).toEqual({ type: 'bumped', versions: [full + 1, full + 2, full + 3] })
})

test('lines of one command', () => {
  const bed = new Bed()
  const bump = (count: number): CacheReply | null =>
    bed.run({ type: 'cache_bump', lines: Array.from({ length: count }, (_, nth) => tagLine('default', 'c', `t${nth}`)) })
  expect(bump(linesPerCommandMax + 1)).toMatchObject({ type: 'refused', code: 'INVALID_ARGUMENT' })
  expect(bed.machine.version).toBe(0)
  expect(bump(linesPerCommandMax)).toMatchObject({ type: 'bumped' })
})

test('holders: one that is known stays, and one that goes makes room', () => {
  const bed = new Bed()
  const hold = (node: string): CacheCommand => ({ type: 'cache_hold', node })
  fill(bed, holdersMax - 1, (nth) => hold(`n${nth}`))
  expect(bed.run(hold('last'))).toEqual({ type: 'held' })
  refuses(bed, hold('another'), QUOTA)
  refuses(bed, hold('n0'), { type: 'held' })
  expect(bed.machine.holders()).toHaveLength(holdersMax)
  bed.run({ type: 'cache_unhold', node: 'n0', term: 1 })
  expect(bed.run(hold('another'))).toEqual({ type: 'held' })
})

test('keys that are loaded at a time: who comes for one of them waits, and one that ends makes room', () => {
  const bed = new Bed()
  const load = (key: string, waitMs = 0): CacheCommand => {
    return { type: 'cache_load', ...NAME, key, waitMs, staleOk: false, tags: [], dead: 0 }
  }
  fill(bed, loadsMax - 1, (nth) => load(`k${nth}`))
  expect(bed.run(load('last'))).toMatchObject({ type: 'load', token: loadsMax })
  refuses(bed, load('another'), OVERLOADED)
  expect(bed.run(load('k0', 1_000))).toBeNull()
  expect(bed.put('k1', '1', { loadToken: 2 })).toMatchObject({ type: 'put' })
  expect(bed.load('k1')).toMatchObject({ type: 'found' })
  // The number of those that were refused is not used up.
  expect(bed.run(load('another'))).toMatchObject({ type: 'load', token: loadsMax + 1 })
})

test('who waits for one key: one more is told so at once, and one that gives up makes room', () => {
  const bed = new Bed()
  bed.granted('a')
  const wait: CacheCommand = { type: 'cache_load', ...NAME, key: 'a', waitMs: 1_000, staleOk: false, tags: [], dead: 0 }
  fill(bed, waitersPerLoadMax - 1, () => wait)
  expect(bed.run(wait)).toBeNull()
  refuses(bed, wait, OVERLOADED)
  expect(bed.load('b')).toMatchObject({ type: 'load' })
  bed.cancel(2)
  expect(bed.run(wait)).toBeNull()
  bed.put('a', '1')
  // Each of them once: those that waited, and the one that gave up.
  expect(bed.settledLog).toHaveLength(waitersPerLoadMax + 1)
})

test('more is owned than a sweep by name tells of: it does nothing, and is to begin again once that is given back', () => {
  const bed = new Bed()
  const own = (nth: number): CacheCommand => {
    return { type: 'cache_own', line: entryLine(NAME.namespace, NAME.cache, `k${nth}`), node: 'n1', count: 1, term: 1 }
  }
  const sweep = { type: 'cache_sweep', ...NAME, what: { prefix: 'k' }, below: 0, after: 0 } as const
  bed.put('kept', '1')
  fill(bed, sweepMax, own)
  expect(bed.copy().run(sweep)).toMatchObject({ removed: 1, more: false, owned: { length: sweepMax } })
  // Owned again, it is the last one.
  for (const nth of [sweepMax, 0]) bed.run(own(nth))
  const told = Array.from({ length: sweepMax }, (_, nth) => `k${nth + 1}`).sort()
  for (const each of [bed.copy((keys) => keys.reverse()), bed]) {
    const reply = each.run(sweep)
    expect(reply).toMatchObject({ removed: 0, more: true, after: 0, owned: told })
    expect(each.get('kept')).toBe('1')
  }
  for (const owner of bed.machine.owners().slice(0, sweepMax)) bed.run({ type: 'cache_release', line: owner.line, own: owner.own, term: 0 })
  expect(bed.run(sweep)).toMatchObject({ removed: 1, more: false, owned: ['k0'] })
})

test('what is owned and carries a tag: a sweep of that tells of so many, for those left are dead by it', () => {
  const bed = new Bed()
  const line = tagLine(NAME.namespace, NAME.cache, 't')
  fill(bed, sweepMax + 5, (nth) => putOf(`k${nth}`, '1', { tags: [[line, 0]], share: { ...SHARE, entries: 10_000 } }))
  fill(bed, sweepMax + 5, (nth) => {
    return { type: 'cache_own', line: entryLine(NAME.namespace, NAME.cache, `k${nth}`), node: 'n1', count: 1, term: 1 }
  })
  const sweep: CacheCommand = { type: 'cache_sweep', ...NAME, what: { line }, below: 1, after: 0 }
  expect(bed.run(sweep)).toMatchObject({ removed: 0, more: false, owned: { length: sweepMax } })
})

test('keys that are remembered though they went: a million of a cache', () => {
  const ghosts = new Ghosts(new Changes(), 1)
  for (let nth = 0; nth < 1_000_100; nth++) ghosts.add(`k${nth}`, 2_000_000)
  expect(['k0', 'k63', 'k64', 'k1000099'].map((key) => ghosts.has(key))).toEqual([false, false, true, true])
})

test('lines that are owned: the next owner of one is none more, and one that is released makes room', () => {
  const bed = new Bed()
  const own = (nth: number, node = 'n1'): CacheCommand => {
    return { type: 'cache_own', line: entryLine(NAME.namespace, NAME.cache, `k${nth}`), node, count: 1, term: 1 }
  }
  fill(bed, ownedMax, (nth) => own(nth))
  refuses(bed, own(ownedMax), QUOTA)
  expect(bed.run(own(0, 'n2'))).toMatchObject({ type: 'own', own: ownedMax + 1 })
  expect(bed.put(`k${ownedMax}`, '1')).toMatchObject({ type: 'put' })
  bed.run({ type: 'cache_release', line: entryLine(NAME.namespace, NAME.cache, 'k1'), own: 2, term: 0 })
  expect(bed.run(own(ownedMax))).toMatchObject({ type: 'own' })
})
