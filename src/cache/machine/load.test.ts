import { expect, test } from 'vitest'
import { Bed, NAME, SHARE } from '../../../test/cache/bed.ts'
import { levelLine, tagLine } from '../line-id.ts'
import { CACHE_LIMITS } from '../types.ts'
import { type CacheCommand, MACHINE_LIMITS } from './commands.ts'

const TAG = tagLine(NAME.namespace, NAME.cache, 't')
const OTHER = levelLine(NAME.namespace, NAME.cache, 'a/')
const BUSY = { type: 'refused', code: 'OWNER_BUSY' }
const STALE_TOKEN = { type: 'refused', code: 'STALE_TOKEN' }

test('one loads, the others wait and find the value', () => {
  const bed = new Bed()
  expect(bed.load('a')).toEqual({ type: 'load', token: 1, leaseMs: MACHINE_LIMITS.loadLeaseMs })
  expect(bed.load('a')).toMatchObject(BUSY)
  expect(bed.load('a', { waitMs: 1_000 })).toBeNull()
  expect(bed.load('b')).toMatchObject({ type: 'load', token: 2 })
  expect(bed.put('a', '1', { loadToken: 1, ttlMs: 500 })).toEqual({ type: 'put', version: 1, created: true })
  const value = { value: new TextEncoder().encode('1'), contentType: 'text/plain', ttlLeftMs: 500 }
  expect(bed.settledLog).toEqual([{ ticket: 3, reply: { type: 'found', version: 1, value } }])
  expect(bed.load('a')).toEqual({ type: 'found', version: 1, value })
})

test('who waits too long is told so; when the lease is over the next in line loads', () => {
  const bed = new Bed()
  bed.granted('a')
  bed.load('a', { waitMs: 1_000 })
  bed.load('a', { waitMs: 25_000 })
  bed.load('a', { waitMs: 25_000 })
  bed.pass(1_000)
  expect(bed.settledLog).toMatchObject([{ ticket: 2, reply: BUSY }])
  bed.pass(MACHINE_LIMITS.loadLeaseMs - 1_000)
  expect(bed.settledLog.slice(1)).toMatchObject([{ ticket: 3, reply: { type: 'load', token: 2 } }])
  expect(bed.put('a', '1', { loadToken: 1 })).toMatchObject(STALE_TOKEN)
  expect(bed.put('a', '1', { loadToken: 2 })).toMatchObject({ type: 'put' })
  expect(bed.settledLog.slice(2)).toMatchObject([{ ticket: 4, reply: { type: 'found' } }])
})

test('a lease and a wait that are over at once: the first one first, whenever they are looked at', () => {
  const bed = new Bed()
  bed.granted('a')
  bed.time += 5_000
  bed.load('a', { waitMs: MACHINE_LIMITS.loadLeaseMs - 5_001 })
  bed.load('a', { waitMs: MACHINE_LIMITS.loadLeaseMs - 5_000 })
  bed.pass(60_000)
  expect(bed.settledLog).toMatchObject([
    { ticket: 2, reply: BUSY },
    { ticket: 3, reply: { type: 'load', token: 2 } },
  ])
})

test('a caller that is gone waits no more', () => {
  const bed = new Bed()
  bed.granted('a')
  bed.load('a', { waitMs: 1_000 })
  bed.cancel(2)
  bed.cancel(2)
  expect(bed.settledLog).toMatchObject([{ ticket: 2, reply: BUSY }])
  bed.put('a', '1', { loadToken: 1 })
  expect(bed.settledLog).toHaveLength(1)
})

const EDIT = { ...NAME, dead: 0, known: null, own: 0 }
test.each<[string, CacheCommand, string]>([
  ['a delete', { type: 'cache_delete', ...EDIT, key: 'a/b', condition: null }, 'load'],
  ['an invalidation of the key', { type: 'cache_invalidate_keys', ...NAME, keys: ['a/b'] }, 'load'],
  ['a sweep of its prefix', { type: 'cache_sweep', ...NAME, what: { prefix: 'a' }, below: 0, after: 0 }, 'load'],
  ['a sweep of everything', { type: 'cache_sweep', ...NAME, what: { all: true }, below: 0, after: 0 }, 'load'],
  ['a sweep of its tag', { type: 'cache_sweep', ...NAME, what: { line: TAG }, below: 6, after: 0 }, 'load'],
  ['another put', { type: 'cache_increment', ...EDIT, key: 'a/b', by: 1, ttlMs: null, tags: [], share: SHARE }, 'found'],
])('a token is void after %s', (_, command, told) => {
  const bed = new Bed()
  bed.granted('a/b', { tags: [[TAG, 5]] })
  bed.load('a/b', { waitMs: 1_000 })
  bed.run(command)
  expect(bed.settledLog).toMatchObject([{ reply: { type: told } }])
  expect(bed.put('a/b', '1', { loadToken: 1 })).toMatchObject(STALE_TOKEN)
})

test.each<[string, CacheCommand]>([
  ['another key', { type: 'cache_delete', ...EDIT, key: 'b', condition: null }],
  ['another prefix', { type: 'cache_sweep', ...NAME, what: { prefix: 'b' }, below: 0, after: 0 }],
  ['an older invalidation', { type: 'cache_sweep', ...NAME, what: { line: TAG }, below: 5, after: 0 }],
  ['another cache', { type: 'cache_sweep', ...NAME, cache: 'other', what: { all: true }, below: 0, after: 0 }],
  ['a refused write', { type: 'cache_delete', ...EDIT, key: 'a/b', condition: 'present' }],
])('a token outlives what is about %s', (_, command) => {
  const bed = new Bed()
  bed.granted('a/b', { tags: [[TAG, 5]] })
  bed.run(command)
  expect(bed.put('a/b', '1', { loadToken: 1 })).toMatchObject({ type: 'put' })
})

test('what was loaded carries the tags as they were when the token was given', () => {
  const bed = new Bed()
  bed.granted('a', { tags: [[TAG, 5]] })
  bed.put('a', '1', {
    loadToken: 1,
    tags: [
      [TAG, 9],
      [OTHER, 2],
    ],
  })
  expect(bed.held('a').tags).toEqual([
    [TAG, 5],
    [OTHER, 2],
  ])
})

test('who waits since an invalidation is not given what was loaded before it', () => {
  const bed = new Bed()
  bed.granted('a', { tags: [[TAG, 5]] })
  bed.load('a', { waitMs: 1_000, tags: [[TAG, 5]] })
  bed.load('a', { waitMs: 1_000, tags: [[TAG, 6]] })
  bed.load('a', { waitMs: 1_000, tags: [[OTHER, 9]] })
  bed.load('a', { waitMs: 1_000, tags: [[TAG, 7]] })
  expect(bed.put('a', 'old', { loadToken: 1 })).toMatchObject({ type: 'put' })
  expect(bed.settledLog).toMatchObject([
    { ticket: 2, reply: { type: 'found' } },
    { ticket: 4, reply: { type: 'found' } },
    { ticket: 3, reply: { type: 'load', token: 2 } },
  ])
  bed.put('a', 'new', { loadToken: 2, tags: [[TAG, 7]] })
  expect(bed.held('a').tags).toEqual([[TAG, 6]])
  expect(bed.settledLog.slice(3)).toMatchObject([{ ticket: 5, reply: { type: 'load', token: 3 } }])
  bed.put('a', 'newest', { loadToken: 3 })
  expect(bed.get('a')).toBe('newest')
})

test('a put whose condition does not hold leaves the load as it is: its token counts, and who waits goes on waiting', () => {
  const bed = new Bed()
  bed.granted('a')
  bed.load('a', { waitMs: 1_000 })
  for (const condition of ['present', 7] as const) {
    expect(bed.put('a', '1', { loadToken: 1, condition })).toMatchObject({ code: 'VERSION_MISMATCH' })
    expect(bed.settledLog).toEqual([])
  }
  expect(bed.load('a')).toMatchObject(BUSY)
  expect(bed.put('a', '1', { loadToken: 1, condition: 'absent' })).toMatchObject({ type: 'put' })
  expect(bed.settledLog).toMatchObject([{ ticket: 2, reply: { type: 'found' } }])
  expect(bed.put('a', '1', { loadToken: 1 })).toMatchObject(STALE_TOKEN)
})

test('what is dead by its tags is loaded anew', () => {
  const bed = new Bed()
  bed.put('a', '1', { tags: [[TAG, 5]] })
  expect(bed.load('a', { tags: [[TAG, 5]] })).toMatchObject({ type: 'found' })
  expect(bed.load('a', { tags: [[TAG, 6]] })).toMatchObject({ type: 'load' })
  bed.put('b', '1')
  expect(bed.load('b', { dead: 1 })).toMatchObject({ type: 'found' })
  expect(bed.load('b', { dead: 2 })).toMatchObject({ type: 'load' })
})

test('while one loads, the others may have the value whose time is over', () => {
  const bed = new Bed()
  bed.put('a', '1', { loadToken: bed.granted('a'), ttlMs: 1_000, tags: [[TAG, 5]] })
  bed.pass(1_000)
  expect(bed.get('a')).toBeNull()
  expect(bed.status()).toMatchObject({ entries: 0, bytes: 2 })
  expect(bed.load('a', { staleOk: true })).toMatchObject({ type: 'load', token: 2 })
  expect(bed.load('a', { staleOk: true })).toMatchObject({ type: 'stale', version: 1, value: { ttlLeftMs: 0, contentType: 'text/plain' } })
  expect(bed.load('a', { staleOk: true, tags: [[TAG, 6]] })).toMatchObject(BUSY)
  expect(bed.load('a')).toMatchObject(BUSY)
  const copy = bed.copy()
  expect(copy.load('a', { staleOk: true })).toMatchObject({ type: 'stale', version: 1 })
  bed.pass(999)
  expect(bed.load('a', { staleOk: true })).toMatchObject({ type: 'stale' })
  bed.pass(1)
  expect(bed.load('a', { staleOk: true })).toMatchObject(BUSY)
  expect(bed.status()).toMatchObject({ bytes: 0 })
  expect(bed.machine.version).toBe(2)
})

test('what was not loaded, or was deleted, leaves nothing stale', () => {
  const bed = new Bed()
  bed.put('a', '1', { ttlMs: 1_000 })
  bed.put('b', '1', { loadToken: bed.granted('b'), ttlMs: 1_000 })
  bed.pass(1_000)
  expect(bed.delete('b')).toMatchObject({ existed: false })
  bed.granted('a')
  bed.granted('b')
  for (const key of ['a', 'b']) expect(bed.load(key, { staleOk: true })).toMatchObject(BUSY)
})

test('a value is stale for a minute at most, and a new one takes its place', () => {
  const bed = new Bed()
  bed.put('a', '1', { loadToken: bed.granted('a'), ttlMs: 100_000 })
  bed.put('b', '1', { loadToken: bed.granted('b'), ttlMs: 100_000 })
  bed.pass(100_000)
  expect(bed.put('b', '2', { condition: 'absent' })).toMatchObject({ created: true })
  expect(bed.get('b')).toBe('2')
  bed.pass(MACHINE_LIMITS.staleMsMax - 1)
  expect(bed.status()).toMatchObject({ bytes: 4 })
  bed.pass(1)
  expect(bed.status()).toMatchObject({ bytes: 2 })
})

test('loads and who waits survive in the records', () => {
  const bed = new Bed()
  bed.granted('a', { tags: [[TAG, 4]] })
  bed.load('a', { waitMs: 5_000, tags: [[TAG, 5]] })
  bed.load('a', { waitMs: 5_000 })
  const copy = bed.copy((keys) => keys.reverse())
  expect(copy.machine.nextDeadline()).toBe(5_000)
  expect(copy.delete('a')).toMatchObject({ existed: false })
  expect(copy.settledLog).toMatchObject([{ ticket: 2, reply: { type: 'load', token: 2 } }])
  copy.put('a', '1', { loadToken: 2 })
  expect(copy.held('a').tags).toEqual([[TAG, 5]])
  expect(copy.settledLog[1]).toMatchObject({ ticket: 3, reply: { type: 'found', version: 1 } })
})

test('what carries all that its load and its put have named can be written, and goes, like anything else', () => {
  const bed = new Bed()
  const { tagsMax, prefixesMax } = CACHE_LIMITS
  const named = (by: string) =>
    Array.from({ length: tagsMax + prefixesMax }, (_, nth) => [tagLine(NAME.namespace, NAME.cache, by + nth), 0] as const)
  const token = bed.granted('a', { tags: named('load') })
  expect(bed.put('a', '1', { loadToken: token, tags: named('put') })).toMatchObject({ type: 'put', version: 1 })
  const known = bed.held('a').tags
  expect(known).toHaveLength(2 * (tagsMax + prefixesMax))
  expect(bed.increment('a', 1, { known })).toMatchObject({ value: 2 })
  expect(bed.delete('a', { known, condition: 2 })).toMatchObject({ type: 'deleted', existed: true })
})
