/** The bound over all caches of a partition: who gives, who stays, and what is told where nothing can go. */
import { describe, expect, test } from 'vitest'
import { Bed, NAME, SHARE, putOf } from '../../../test/cache/bed.ts'
import { entryLine, tagLine } from '../line-id.ts'
import { CACHE_LIMITS } from '../types.ts'
import type { PutCommand, Share } from './commands.ts'
import { MACHINE_LIMITS } from './commands.ts'
import { CARRIED_BYTES, ENTRY_BYTES, HEAVIEST_BYTES, ROOM_UNBOUNDED } from './room.ts'
import { GROUP_BYTES } from './tag-index.ts'

const TYPE = 'text/plain'
/** Of a key of one byte and a value of one. */
const ONE = ENTRY_BYTES + 2 + TYPE.length
const S3: Share = { ...SHARE, policy: 's3fifo' }
const LETTERS = [...'abcdefghijklmnopqrstuvwxyz']

function bedOf(bytes: number): Bed {
  const bed = new Bed()
  bed.run({ type: 'cache_room', bytes, term: 1 })
  return bed
}

const put = (bed: Bed, cache: string, key: string, over: Partial<PutCommand> = {}) => bed.put(key, '1', { cache, ...over })
const entriesOf = (bed: Bed, cache: string): number =>
  (bed.machine.query({ type: 'cache_status', ...NAME, cache }, 0) as { entries: number }).entries
const evicted = (bed: Bed): string[] => bed.changes.filter(({ reason }) => reason === 'evict').map(({ line }) => line)

describe('all caches together', () => {
  test('hold no more than there is room for, however many they are', () => {
    const bed = bedOf(100 * ONE)
    for (let nth = 0; nth < 1_000; nth++) {
      put(bed, `cache ${nth % 300}`, 'k', { value: new Uint8Array(nth % 50) })
      const { memoryBytes, memoryBytesMax } = bed.machine.stats()
      expect(memoryBytes).toBeLessThanOrEqual(memoryBytesMax)
    }
    const { entries, memoryBytes } = bed.machine.stats()
    expect(entries).toBeGreaterThan(90)
    // Every one of them was put last: whoever does not hold more than others gives no more than others.
    expect(memoryBytes).toBeGreaterThan(98 * ONE)
  })

  test('a value costs what it costs besides: a hundred thousand of one byte are not as many bytes', () => {
    const bed = bedOf(2_000 * ONE)
    const ctx = { index: 1, term: 1, time: 0, settle() {}, emit() {} }
    const { machine } = bed
    machine.check = () => {}
    for (let nth = 0; nth < 100_000; nth++) bed.put(`${nth}`, '', { share: { ...SHARE, entries: 1e6 } })
    machine.advance(ctx)
    expect(machine.stats().entries).toBeLessThanOrEqual(2_000)
    expect(machine.stats().memoryBytes).toBeLessThanOrEqual(2_000 * ONE)
  })

  test.each(['lru', 's3fifo'] as const)('small ones keep what they have beside a fat one (%s)', (policy) => {
    const bed = bedOf(40 * ONE)
    const share = { ...SHARE, policy }
    for (const small of ['x', 'y', 'z']) for (const key of 'abc') put(bed, small, key, { share })
    for (let nth = 0; nth < 500; nth++) put(bed, 'fat', `${nth}`, { share, value: new Uint8Array(100) })
    for (const small of ['x', 'y', 'z']) expect(entriesOf(bed, small)).toBe(3)
    expect(entriesOf(bed, 'fat')).toBeGreaterThan(20)
    expect(evicted(bed).every((line) => line.startsWith(entryLine(NAME.namespace, 'fat', '')))).toBe(true)
  })

  test('two fat ones get as much as each other', () => {
    const bed = bedOf(40 * ONE)
    for (let nth = 0; nth < 100; nth++) put(bed, 'early', `${nth}`)
    for (let nth = 0; nth < 100; nth++) put(bed, 'late', `${nth}`)
    expect(Math.abs(entriesOf(bed, 'early') - entriesOf(bed, 'late'))).toBeLessThanOrEqual(1)
  })
})

describe('of the cache that holds most', () => {
  test('goes what was used least', () => {
    const bed = bedOf(3 * ONE)
    for (const key of 'abc') bed.put(key, '1')
    bed.touch('a')
    bed.put('d', '1')
    expect(bed.there(LETTERS)).toBe('acd')
  })

  test('goes what its policy says: with S3-FIFO a scan pushes out nobody that is used', () => {
    const bed = bedOf(10 * ONE + 40)
    for (const key of LETTERS.slice(0, 8)) bed.put(key, '1', { share: S3 })
    bed.touch(...LETTERS.slice(0, 8))
    bed.touch(...LETTERS.slice(0, 8))
    for (let nth = 0; nth < 50; nth++) bed.put(`scan${nth}`, '1', { share: S3 })
    expect(bed.there(LETTERS)).toBe('abcdefgh')
  })

  test.each(['lru', 's3fifo'] as const)('a replica made of records evicts the same (%s)', (policy) => {
    const bed = bedOf(20 * ONE)
    const share = { ...SHARE, policy }
    const some = (from: number, to: number, on: Bed): void => {
      for (let nth = from; nth < to; nth++) {
        put(on, ['p', 'q', 'r'][nth % 3] as string, `${(nth * 7) % 31}`, { share, value: new Uint8Array((nth * 13) % 90) })
        if (nth % 5 === 0) on.run({ type: 'cache_touch', ...NAME, cache: 'p', keys: [`${(nth * 7) % 31}`] })
      }
    }
    some(0, 120, bed)
    const copy = bed.copy((keys) => keys.reverse())
    expect(copy.machine.stats()).toEqual(bed.machine.stats())
    const before = evicted(bed).length
    for (const each of [bed, copy]) some(120, 300, each)
    expect(evicted(bed).length).toBeGreaterThan(before + 50)
    expect(evicted(copy)).toEqual(evicted(bed).slice(before))
  })

  test('what was just put goes last, though its cache holds most', () => {
    const bed = bedOf(10 * ONE)
    for (const key of 'abcde') bed.put(key, '1')
    put(bed, 'fat', 'k', { value: new Uint8Array(7 * ONE) })
    expect(entriesOf(bed, 'fat')).toBe(1)
    expect(entriesOf(bed, NAME.cache)).toBe(2)
    put(bed, 'fat', 'l', { value: new Uint8Array(8 * ONE) })
    expect(entriesOf(bed, 'fat')).toBe(1)
    expect(bed.machine.stats().entries).toBe(1 + 1)
  })
})

describe('a line that entries carry', () => {
  const carrying = (...tags: string[]): Partial<PutCommand> => ({ tags: tags.map((tag) => [tagLine(NAME.namespace, NAME.cache, tag), 0]) })
  const line = tagLine(NAME.namespace, NAME.cache, 't')

  test('counts once, and each time that it is carried', () => {
    const bed = bedOf(ROOM_UNBOUNDED)
    for (const key of 'ab') bed.put(key, '1', carrying('t'))
    expect(bed.machine.stats().memoryBytes).toBe(2 * (ONE + CARRIED_BYTES) + GROUP_BYTES + line.length)
    bed.delete('a')
    bed.put('b', '1')
    expect(bed.machine.stats().memoryBytes).toBe(ONE)
  })

  test('goes with the last of them, and makes room', () => {
    const bed = bedOf(8 * ONE)
    for (const key of LETTERS) bed.put(key, '1', carrying(`of ${key}`))
    const { entries, memoryBytes } = bed.machine.stats()
    expect(entries).toBeLessThan(6)
    expect(memoryBytes).toBeLessThanOrEqual(8 * ONE)
  })
})

describe('where nothing can go', () => {
  const line = entryLine(NAME.namespace, NAME.cache, 'o')
  /** `o` is the node's alone, and large. */
  function pinned(): { bed: Bed; own: number; versionFirst: number } {
    const bed = bedOf(10 * ONE)
    bed.put('o', 'x'.repeat(3 * ONE))
    const reply = bed.run({ type: 'cache_own', line, node: 'n1', count: 10, term: 1 })
    if (reply?.type !== 'own') throw new Error('not owned')
    return { bed, own: reply.own, versionFirst: reply.versionFirst }
  }
  const flushOf = ({ own, versionFirst }: { own: number; versionFirst: number }, nth: number, bytes: number) =>
    ({
      type: 'cache_flush',
      line,
      own,
      version: versionFirst + nth,
      value: new Uint8Array(bytes),
      contentType: TYPE,
      ttlMs: null,
      slidingMs: 0,
      tags: [],
      share: SHARE,
    }) as const

  test('a value that is larger than the room is refused, and nothing goes for it', () => {
    const bed = bedOf(4 * ONE)
    for (const key of 'abc') bed.put(key, '1')
    expect(bed.put('x', 'x'.repeat(4 * ONE))).toMatchObject({ type: 'refused', code: 'QUOTA' })
    expect(bed.put('x', '1', { cache: 'other', value: new Uint8Array(4 * ONE) })).toMatchObject({ code: 'QUOTA' })
    expect(bed.there(LETTERS)).toBe('abc')
    expect(bed.machine.stats()).toMatchObject({ caches: 1, evictions: 0 })
  })

  test('the largest entry there is has its room', () => {
    const bed = bedOf(HEAVIEST_BYTES)
    const name = { namespace: '𝄞'.repeat(CACHE_LIMITS.nameLengthMax), cache: '𝄞'.repeat(CACHE_LIMITS.nameLengthMax) }
    const tags = Array.from({ length: MACHINE_LIMITS.tagsPerEntryMax }, (_, nth) => {
      return [tagLine(name.namespace, name.cache, `${nth}`.padStart(CACHE_LIMITS.keyBytesMax, 't')), 0] as const
    })
    const value = new Uint8Array(CACHE_LIMITS.valueBytesMax)
    const contentType = 'x'.repeat(CACHE_LIMITS.contentTypeLengthMax)
    const largest = putOf('k'.repeat(CACHE_LIMITS.keyBytesMax), '', { ...name, value, tags, contentType })
    expect(bed.run(largest)).toMatchObject({ type: 'put' })
    // The same in the same place, and no other beside it.
    expect(bed.run(largest)).toMatchObject({ type: 'put', created: false })
    const { memoryBytes } = bed.machine.stats()
    expect(memoryBytes).toBeLessThanOrEqual(HEAVIEST_BYTES)
    expect(bedOf(memoryBytes).run(largest)).toMatchObject({ type: 'put' })
    expect(bedOf(memoryBytes - 1).run(largest)).toMatchObject({ code: 'QUOTA' })
  })

  test('what a node owns stays, and what does not fit beside it is refused', () => {
    const { bed } = pinned()
    for (const key of LETTERS.slice(0, 10)) bed.put(key, '1')
    expect(bed.get('o')).not.toBeNull()
    expect(bed.there(LETTERS.slice(0, 10))).toBe('efghij')
    expect(bed.put('big', 'x'.repeat(6 * ONE))).toMatchObject({ code: 'QUOTA' })
    expect(bed.increment('n', 1, { tags: [] })).toMatchObject({ type: 'incremented' })
    expect(bed.machine.stats().pinnedBytes).toBe(4 * ONE - 1)
  })

  test('what its owner flushes grows at the cost of others, as long as there are some', () => {
    const owner = pinned()
    const { bed } = owner
    for (const key of LETTERS.slice(0, 6)) bed.put(key, '1')
    expect(bed.run(flushOf(owner, 0, 7 * ONE))).toMatchObject({ type: 'flushed' })
    expect(bed.there(LETTERS.slice(0, 6))).toBe('ef')
    expect(bed.run(flushOf(owner, 1, 10 * ONE))).toMatchObject({ code: 'QUOTA' })
    // Nothing of it was done: the same version counts with another value.
    expect(bed.run(flushOf(owner, 1, 1))).toMatchObject({ type: 'flushed' })
    expect(bed.held('o').value).toHaveLength(1)
  })

  test('no line is given where half of the room would be owned; given back, it can go', () => {
    const { bed, own } = pinned()
    bed.put('p', '1'.repeat(ONE))
    const second = { type: 'cache_own', line: entryLine(NAME.namespace, NAME.cache, 'p'), node: 'n1', count: 1, term: 1 } as const
    expect(bed.run(second)).toMatchObject({ code: 'QUOTA' })
    expect(bed.run({ type: 'cache_release', line, own, term: 0 })).toMatchObject({ released: true })
    expect(bed.machine.stats().pinnedBytes).toBe(0)
    expect(bed.run(second)).toMatchObject({ type: 'own' })
    for (const key of LETTERS.slice(0, 10)) bed.put(key, '1')
    expect(bed.get('o')).toBeNull()
  })

  test('what has become too much while it was owned goes once it is given back', () => {
    const { bed, own } = pinned()
    bed.run({ type: 'cache_room', bytes: 2 * ONE, term: 1 })
    expect(bed.get('o')).not.toBeNull()
    expect(bed.machine.nextDeadline()).toBe(Infinity)
    bed.run({ type: 'cache_release', line, own, term: 0 })
    expect(bed.get('o')).toBeNull()
  })

  test('a load whose value finds no room is over, and the next in line loads', () => {
    const bed = bedOf(2 * ONE)
    const token = bed.granted('k')
    expect(bed.load('k', { waitMs: 1_000 })).toBeNull()
    expect(bed.put('k', 'x'.repeat(2 * ONE), { loadToken: token })).toMatchObject({ code: 'QUOTA' })
    expect(bed.settledLog).toMatchObject([{ reply: { type: 'load' } }])
  })
})

describe('how much there may be', () => {
  test('changes at once, a bounded number at a time, and more is taken again when it grows', () => {
    const bed = bedOf(ROOM_UNBOUNDED)
    const { sweepMax } = MACHINE_LIMITS
    const machine = bed.machine
    const check = machine.check.bind(machine)
    machine.check = () => {}
    for (let nth = 0; nth < 2 * sweepMax + 500; nth++) bed.put(`${nth}`, '1', { share: { ...SHARE, entries: 1e6 } })
    machine.check = check
    bed.run({ type: 'cache_room', bytes: 10 * ONE, term: 1 })
    expect(machine.stats().entries).toBe(sweepMax + 500)
    expect(machine.nextDeadline()).toBe(0)
    bed.pass(0)
    expect(machine.stats().entries).toBe(500)
    bed.pass(0)
    expect(machine.stats().memoryBytes).toBeLessThanOrEqual(10 * ONE)
    expect(machine.nextDeadline()).toBe(Infinity)
    bed.run({ type: 'cache_room', bytes: 20 * ONE, term: 1 })
    for (const key of LETTERS) bed.put(key, '1')
    expect(bed.there(LETTERS).length).toBeGreaterThan(17)
  })

  test('is said by the home of now alone, and known to a replica made of records', () => {
    const bed = bedOf(5 * ONE)
    expect(bed.run({ type: 'cache_room', bytes: 7, term: 0 })).toMatchObject({ code: 'FENCED' })
    expect(bed.copy().machine.roomBytes).toBe(5 * ONE)
    expect(new Bed().copy().machine.roomBytes).toBe(ROOM_UNBOUNDED)
  })
})

describe('what is nearly full', () => {
  const prefix = (cache: string): string => entryLine(NAME.namespace, cache, '')

  test.each([
    ['entries', { ...SHARE, entries: 8 }, 1],
    ['bytes', { ...SHARE, bytes: 8_000 }, 1_000],
  ])('a cache with three quarters of its %s, until it has fewer', (_, share, bytes) => {
    const bed = new Bed()
    const full = () => bed.machine.nearlyFull()
    // A key is a byte, too.
    const value = new Uint8Array(bytes - 1)
    for (const key of LETTERS.slice(0, 5)) put(bed, 'a', key, { share, value })
    put(bed, 'b', 'only', { share: { ...SHARE, entries: 1 } })
    expect(full()).toEqual([])
    put(bed, 'a', LETTERS[5] as string, { share, value })
    expect(full()).toEqual([prefix('a')])
    expect(bed.copy().machine.nearlyFull()).toEqual([prefix('a')])
    bed.delete('a', { cache: 'a' })
    expect(full()).toEqual([])
  })

  test('the fattest of all, where that is three quarters of the room', () => {
    const bed = bedOf(20 * ONE)
    for (const key of LETTERS.slice(0, 6)) put(bed, 'x', key)
    for (const key of LETTERS.slice(0, 8)) put(bed, 'y', key)
    expect(bed.machine.nearlyFull()).toEqual([])
    put(bed, 'x', 'z')
    expect(bed.machine.nearlyFull()).toEqual([prefix('y')])
  })
})
