import { expect, test } from 'vitest'
import { Bed, NAME, SHARE, putOf } from '../../../test/cache/bed.ts'
import { configLine, entryLine, tagLine } from '../line-id.ts'
import { encodeCommand } from './codec.ts'
import { DEFAULT_CONFIG } from '../types.ts'

const TAG = tagLine(NAME.namespace, NAME.cache, 't')
const line = (key: string) => entryLine(NAME.namespace, NAME.cache, key)

test('what was put is read, with its version, until it is deleted', () => {
  const bed = new Bed()
  expect(bed.put('a', 'one', { ttlMs: 5_000, tags: [[TAG, 3]] })).toEqual({ type: 'put', version: 1, created: true })
  bed.time += 1_000
  expect(bed.held('a')).toEqual({
    version: 1,
    value: new TextEncoder().encode('one'),
    contentType: 'text/plain',
    ttlLeftMs: 4_000,
    slidingMs: 0,
    tags: [[TAG, 3]],
  })
  expect(bed.put('a', 'two')).toEqual({ type: 'put', version: 2, created: false })
  expect(bed.get('a')).toBe('two')
  expect(bed.delete('a')).toEqual({ type: 'deleted', version: 3, existed: true })
  expect(bed.get('a')).toBeNull()
  expect(bed.delete('a')).toEqual({ type: 'deleted', version: 0, existed: false })
  expect(bed.machine.version).toBe(3)
})

test('conditions', () => {
  const bed = new Bed()
  const mismatch = (version: number) => ({ type: 'refused', code: 'VERSION_MISMATCH', details: { version } })
  expect(bed.put('a', '1', { condition: 'present' })).toMatchObject(mismatch(0))
  expect(bed.put('a', '1', { condition: 7 })).toMatchObject(mismatch(0))
  expect(bed.put('a', '1', { condition: 'absent' })).toMatchObject({ type: 'put', version: 1 })
  expect(bed.put('a', '2', { condition: 'absent' })).toMatchObject(mismatch(1))
  expect(bed.put('a', '2', { condition: 'present' })).toMatchObject({ version: 2 })
  expect(bed.put('a', '3', { condition: 1 })).toMatchObject(mismatch(2))
  expect(bed.delete('a', { condition: 1 })).toMatchObject(mismatch(2))
  expect(bed.get('a')).toBe('2')
  expect(bed.put('a', '3', { condition: 2 })).toMatchObject({ version: 3 })
  expect(bed.delete('a', { condition: 3 })).toMatchObject({ existed: true })
})

test('what was seen to be dead by its tags counts as none', () => {
  const bed = new Bed()
  bed.put('a', '1')
  expect(bed.put('a', '2', { condition: 'absent', dead: 1 })).toEqual({ type: 'put', version: 2, created: true })
  expect(bed.put('a', '3', { condition: 'absent', dead: 1 })).toMatchObject({ code: 'VERSION_MISMATCH', details: { version: 2 } })
  expect(bed.increment('a', 5, { dead: 2, tags: [[TAG, 9]] })).toMatchObject({ value: 5 })
  expect(bed.held('a').tags).toEqual([[TAG, 9]])
  expect(bed.delete('a', { dead: 3 })).toEqual({ type: 'deleted', version: 0, existed: false })
  expect(bed.get('a')).toBeNull()
})

test('an increment adds to nothing of which it knows that a level was invalidated', () => {
  const bed = new Bed()
  bed.increment('a', 5, { tags: [[TAG, 3]] })
  // From before the invalidation, and late; then one from after it, which saw the first dead.
  bed.increment('a', 1, { tags: [[TAG, 3]] })
  expect(bed.increment('a', 1, { dead: 1, tags: [[TAG, 4]] })).toMatchObject({ value: 1 })
  expect(bed.held('a').tags).toEqual([[TAG, 4]])
  expect(bed.put('a', '9', { condition: 'absent', tags: [[TAG, 5]] })).toMatchObject({ created: true })
})

test('counting', () => {
  const bed = new Bed()
  expect(bed.increment('n', 3, { ttlMs: 500 })).toEqual({ type: 'incremented', version: 1, value: 3 })
  bed.time += 100
  expect(bed.increment('n', -5)).toEqual({ type: 'incremented', version: 2, value: -2 })
  expect(bed.held('n')).toMatchObject({ contentType: 'application/json', ttlLeftMs: 400 })
  expect(bed.get('n')).toBe('-2')
  bed.put('n', '9007199254740990')
  expect(bed.increment('n', 1)).toMatchObject({ value: 9_007_199_254_740_991 })
  expect(bed.increment('n', 1)).toMatchObject({ code: 'INVALID_ARGUMENT', details: { errors: [{ path: 'by' }] } })
  for (const text of ['', 'x', '1.5', '1.0', '01', '+1', '1e3', ' 1', '99999999999999999', '-']) {
    bed.put('n', text)
    expect(bed.increment('n', 1), text).toMatchObject({ code: 'INVALID_ARGUMENT', details: { errors: [{ path: 'key' }] } })
  }
})

test('what is beyond the integers that are exact is not counted on from, even back among them', () => {
  const bed = new Bed()
  bed.put('n', '-9007199254740991')
  expect(bed.increment('n', 2)).toMatchObject({ value: -9_007_199_254_740_989 })
  // As a number each of them is an even one.
  for (const text of ['9007199254740992', '9007199254740993', '9999999999999999', '-9007199254740993']) {
    bed.put('n', text)
    const errors = [{ path: 'key', message: 'what it holds is no integer from -(2^53 - 1) to 2^53 - 1' }]
    for (const by of [-2, 2]) expect(bed.increment('n', by), text).toMatchObject({ code: 'INVALID_ARGUMENT', details: { errors } })
    expect(bed.get('n')).toBe(text)
  }
})

test('an entry goes at its time, not before the log says so', () => {
  const bed = new Bed()
  bed.put('a', '1', { ttlMs: 100 })
  bed.put('b', '1', { ttlMs: 50 })
  bed.put('c', '1')
  expect(bed.machine.nextDeadline()).toBe(50)
  bed.time += 99
  expect(bed.held('b')).toMatchObject({ version: 2, ttlLeftMs: 1 })
  bed.pass(0)
  expect(bed.there(['a', 'b', 'c'])).toBe('ac')
  bed.pass(1)
  expect(bed.there(['a', 'b', 'c'])).toBe('c')
  expect(bed.changes.slice(3)).toMatchObject([
    { at: 4, version: 4, line: line('b'), reason: 'expire', own: 0, previous: { version: 2 } },
    { at: 5, version: 5, line: line('a'), reason: 'expire', own: 0, previous: { version: 1 } },
  ])
  expect(bed.machine.nextDeadline()).toBe(Infinity)
})

test('what slides lives as long as it is read, and an eighth longer, for reads are told late', () => {
  const bed = new Bed()
  bed.put('a', '1', { slidingMs: 800 })
  bed.put('b', '1', { slidingMs: 800, ttlMs: 100 })
  bed.put('c', '1', { slidingMs: 800, ttlMs: 5_000 })
  expect(bed.held('a')).toMatchObject({ ttlLeftMs: 900, slidingMs: 800 })
  expect(bed.held('b')).toMatchObject({ ttlLeftMs: 100 })
  bed.pass(50)
  expect(bed.touch('a', 'b', 'c', 'none')).toEqual({ type: 'touched', touched: 3 })
  expect(['a', 'b', 'c'].map((key) => bed.held(key).ttlLeftMs)).toEqual([900, 900, 4_950])
  bed.pass(899)
  expect(bed.there(['a', 'b', 'c'])).toBe('abc')
  bed.pass(1)
  expect(bed.there(['a', 'b', 'c'])).toBe('c')
  expect(bed.machine.version).toBe(5)
})

test('a cache keeps to its share, and what was used least goes first', () => {
  const bed = new Bed()
  const share = { ...SHARE, entries: 3 }
  for (const key of ['a', 'b', 'c']) bed.put(key, '1', { share })
  bed.touch('a')
  bed.put('d', '1', { share })
  expect(bed.there(['a', 'b', 'c', 'd'])).toBe('acd')
  expect(bed.changes.at(-1)).toMatchObject({ reason: 'evict', line: line('b'), at: 5 })
  bed.put('e', 'x'.repeat(90), { share: { ...share, bytes: 100, configVersion: 1 } })
  expect(bed.status()).toMatchObject({ entries: 3, bytes: 2 + 2 + 91, evictions: 2 })
  // Larger than the share, it stays alone.
  bed.put('f', 'x'.repeat(200), { share: { ...share, bytes: 100, configVersion: 1 } })
  expect(bed.status()).toMatchObject({ entries: 1, bytes: 201, evictions: 5 })
  // Of an older configuration: the share stays what it is.
  bed.put('g', '1', { share })
  expect(bed.there(['f', 'g'])).toBe('g')
})

test('tags and levels have a version and nothing else', () => {
  const bed = new Bed()
  expect(bed.machine.read(TAG, 0)).toMatchObject({ version: 0, value: null })
  const other = tagLine('default', 'orders', 'u')
  expect(bed.run({ type: 'cache_bump', lines: [TAG, other, TAG] })).toEqual({ type: 'bumped', versions: [1, 2, 3] })
  expect([TAG, other].map((each) => bed.machine.read(each, 0).version)).toEqual([3, 2])
  expect(bed.changes).toMatchObject([{ line: TAG }, { line: other }, { line: TAG, previous: { version: 1 }, reason: 'invalidate' }])
})

test('what was invalidated is to be swept until somebody says that it is; on a copy, too', () => {
  const bed = new Bed()
  const other = tagLine('default', 'orders', 'u')
  bed.run({ type: 'cache_bump', lines: [TAG, other] })
  bed.run({ type: 'cache_bump', lines: [TAG] })
  const copy = bed.copy()
  for (const each of [bed, copy]) {
    expect(each.machine.unswept().toSorted()).toEqual([TAG, other])
    expect([TAG, other].map((one) => each.machine.unsweptOf(one))).toEqual([
      { since: 1, version: 3 },
      { since: 2, version: 2 },
    ])
    // Of what was invalidated before the last time: that one is left.
    each.run({ type: 'cache_swept', lines: [[TAG, 1]] })
    expect(each.machine.unsweptOf(TAG)).toEqual({ since: 1, version: 3 })
    each.run({
      type: 'cache_swept',
      lines: [
        [TAG, 3],
        [other, 1],
      ],
    })
    expect([TAG, other].map((one) => each.machine.unsweptOf(one))).toEqual([null, { since: 2, version: 2 }])
    each.run({ type: 'cache_bump', lines: [TAG] })
    expect(each.machine.unsweptOf(TAG)).toEqual({ since: 4, version: 4 })
    expect(each.swept).toEqual([TAG, TAG])
  }
})

test('a configuration is a line, changed member by member', () => {
  const bed = new Bed()
  const configure = (config: object) => bed.run({ type: 'cache_configure', ...NAME, config })
  const first = { ...DEFAULT_CONFIG, ttlMs: 500, levels: ['/'] }
  expect(configure({ ttlMs: 500, levels: ['/'] })).toEqual({ type: 'configured', version: 1, created: true, config: first })
  expect(configure({ policy: 's3fifo' })).toEqual({
    type: 'configured',
    version: 2,
    created: false,
    config: { ...first, policy: 's3fifo' },
  })
  const held = bed.machine.read(configLine(NAME.namespace, NAME.cache), 0)
  expect(held).toMatchObject({ version: 2, contentType: 'application/json' })
  expect(JSON.parse(new TextDecoder().decode(held.value as Uint8Array))).toEqual({ ...first, policy: 's3fifo' })
})

test('who may hold copies', () => {
  const bed = new Bed()
  for (const node of ['n3', 'n1', 'n3']) bed.run({ type: 'cache_hold', node })
  expect(bed.machine.holders()).toEqual(['n1', 'n3'])
  bed.run({ type: 'cache_unhold', node: 'n1', term: 1 })
  bed.run({ type: 'cache_unhold', node: 'n2', term: 1 })
  // Asked for by the home of another term: n3 may be back.
  bed.run({ type: 'cache_unhold', node: 'n3', term: 0 })
  expect(bed.copy().machine.holders()).toEqual(['n3'])
})

test('the journal knows the last changes, and says where it does not', () => {
  const bed = new Bed()
  bed.put('a', '1')
  bed.put('b', '1')
  bed.delete('a')
  expect(bed.machine.changesSince(1)).toEqual([
    { at: 2, version: 2, line: line('b'), reason: 'put' },
    { at: 3, version: 3, line: line('a'), reason: 'delete' },
  ])
  const copy = bed.copy()
  expect(copy.machine.changesSince(2)).toBeNull()
  expect(copy.machine.changesSince(3)).toEqual([])
  for (let nth = 0; nth < 8_192; nth++) bed.machine.apply(bed, nth, encodeCommand(putOf(`k${nth % 10}`, '1')))
  expect(bed.machine.changesSince(2)).toBeNull()
  expect(bed.machine.changesSince(3)).toHaveLength(8_192)
  expect(bed.machine.changesSince(8_193)).toMatchObject([{ at: 8_194 }, { at: 8_195 }])
})

test('a use writes a small record, not the value again', () => {
  const bed = new Bed()
  bed.put('a', 'x'.repeat(10_000), { slidingMs: 1_000 })
  bed.drain()
  expect(bed.machine.dirtyBytes).toBe(0)
  bed.time += 10
  bed.touch('a')
  let written = 0
  bed.machine.drain(
    (_, value) => void (written += value?.length ?? 0),
    () => {},
  )
  expect(written).toBeGreaterThan(0)
  expect(written).toBeLessThan(50)
})

test('a use counts for a replica made of records too', () => {
  const bed = new Bed()
  for (const key of ['a', 'b', 'c']) bed.put(key, '1')
  // Written once before: what comes now is the use alone.
  bed.drain()
  bed.touch('a')
  for (const replica of [bed.copy(), bed]) {
    replica.put('d', '1', { share: { ...SHARE, entries: 3 } })
    expect(replica.there(['a', 'b', 'c', 'd'])).toBe('acd')
  }
})

test('what is not a command is refused', () => {
  const bed = new Bed()
  for (const bytes of [[], [1, 1], [0x41], [0x41, 0x3f], [0x41, 0x40, 1]]) {
    expect(bed.runMore(Uint8Array.from(bytes))).toMatchObject({ type: 'refused', code: 'INVALID_ARGUMENT' })
  }
})
