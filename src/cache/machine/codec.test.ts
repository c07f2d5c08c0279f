import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { anyCommand } from '../../../test/cache/arbitrary.ts'
import { Bed, NAME, SHARE, putOf } from '../../../test/cache/bed.ts'
import { encodeCommand as encodeQueueCommand } from '../../queue/codec.ts'
import { configLine, entryLine, tagLine } from '../line-id.ts'
import { CACHE_LIMITS } from '../types.ts'
import { encodeCommand } from './codec.ts'
import { type CacheCommand, type IncrementCommand, MACHINE_LIMITS, type PutCommand } from './commands.ts'
import { VERSION } from './codes.ts'
import { decodeCommand } from './decode.ts'

const L = CACHE_LIMITS
const TAG = tagLine(NAME.namespace, NAME.cache, 't')
const ENTRY = entryLine(NAME.namespace, NAME.cache, 'a')
const put = (over: object) => putOf('a', '1', over as Partial<PutCommand>)
const increment = (over: Partial<IncrementCommand>): CacheCommand => ({
  type: 'cache_increment',
  ...NAME,
  key: 'a',
  by: 1,
  ttlMs: null,
  tags: [],
  share: SHARE,
  dead: 0,
  known: null,
  own: 0,
  ...over,
})
const keys = (all: readonly string[]): CacheCommand => ({ type: 'cache_touch', ...NAME, keys: all })
const config = (over: object): CacheCommand => ({ type: 'cache_configure', ...NAME, config: over })
const load = (over: object): CacheCommand => ({
  type: 'cache_load',
  ...NAME,
  key: 'a',
  waitMs: 0,
  staleOk: false,
  tags: [],
  dead: 0,
  ...over,
})
const times = <T>(count: number, each: (nth: number) => T): T[] => Array.from({ length: count }, (_, nth) => each(nth))

test('commands survive the way through the log', () => {
  fc.assert(
    fc.property(anyCommand, (command) => {
      expect(decodeCommand(encodeCommand(command))).toEqual(command)
    }),
    { numRuns: 2_000 },
  )
})

test('a plain put costs twenty-one bytes more than its value, its names and its type', () => {
  const command = putOf('user/7', 'x'.repeat(100))
  const texts = command.namespace.length + command.cache.length + command.key.length + command.contentType.length
  expect(encodeCommand(command).length).toBe(100 + texts + 21)
})

test('a write that says what it knows of tags is of another kind: logs hold both', () => {
  const kinds = (known: PutCommand['known']) => [put({ known }), increment({ known })].map((command) => encodeCommand(command)[1])
  expect(kinds(null)).toEqual([0x40, 0x42])
  expect(kinds([])).toEqual([0x50, 0x52])
})

test('the commands of queues are told from those of caches by their first byte', () => {
  expect(encodeCommand(put({}))[0]).toBe(VERSION)
  expect(encodeQueueCommand({ type: 'queue_purge', namespace: 'default', queue: 'q' })[0]).not.toBe(VERSION)
})

test('the largest of everything is taken', () => {
  const largest: CacheCommand[] = [
    put({ value: new Uint8Array(L.valueBytesMax), contentType: 'x'.repeat(L.contentTypeLengthMax), ttlMs: L.ttlMsMax }),
    put({ slidingMs: L.ttlMsMax, cache: 'c'.repeat(L.nameLengthMax) }),
    { type: 'cache_hold', node: 'n'.repeat(128) },
    { type: 'cache_own', line: ENTRY, node: 'n1', count: MACHINE_LIMITS.ownVersionsMax, term: 1 },
    put({ key: 'x'.repeat(L.keyBytesMax), namespace: '𝄞'.repeat(L.nameLengthMax) }),
    put({ key: '𝄞'.repeat(L.keyBytesMax / 4) }),
    put({ tags: times(MACHINE_LIMITS.tagsPerEntryMax, (nth) => [tagLine('n', 'c', `t${nth}`), nth]) }),
    keys(times(L.keysMax, (nth) => `k${nth}`)),
    load({ waitMs: L.loadWaitMsMax }),
    config({
      bytesMax: L.bytesMaxMax,
      entriesMax: L.entriesMaxMax,
      ttlMs: L.ttlMsMax,
      levels: ['/', ':', '.', 'x'.repeat(L.levelLengthMax)],
    }),
  ]
  // By hand: `toEqual` takes seconds for a large value.
  for (const command of largest) expect(isDeepStrictEqual(decodeCommand(encodeCommand(command)), command), command.type).toBe(true)
})

test.each<[string, CacheCommand, string?]>([
  ['a namespace that is empty', put({ namespace: '' })],
  ['a cache that is empty', put({ cache: '' })],
  ['a namespace that is too long', put({ namespace: 'n'.repeat(L.nameLengthMax + 1) })],
  ['a cache that is too long', put({ cache: 'c'.repeat(L.nameLengthMax + 1) })],
  ['a key that is empty', put({ key: '' })],
  ['a key of 513 bytes', put({ key: 'k'.repeat(L.keyBytesMax + 1) })],
  ['a key of few characters and too many bytes', put({ key: 'é'.repeat(L.keyBytesMax / 2 + 1) })],
  ['a value that is too large', put({ value: new Uint8Array(L.valueBytesMax + 1) }), 'TOO_LARGE'],
  ['a content type that is too long', put({ contentType: 'x'.repeat(L.contentTypeLengthMax + 1) })],
  ['a life that is too long', put({ ttlMs: L.ttlMsMax + 1 })],
  ['a life below 0', put({ ttlMs: -1 })],
  ['a sliding life that is too long', put({ slidingMs: L.ttlMsMax + 1 })],
  ['a sliding life that is no integer', put({ slidingMs: 1.5 })],
  ['too many tags', put({ tags: times(MACHINE_LIMITS.tagsPerEntryMax + 1, (nth) => [tagLine('n', 'c', `t${nth}`), 0]) })],
  ['a tag twice', put({ tags: times(2, () => [TAG, 0]) })],
  ['a tag that is an entry', put({ tags: [[ENTRY, 0]] })],
  ['a tag that is no line', put({ tags: [['t', 0]] })],
  ['a tag whose version is no number', put({ tags: [[TAG, Number.NaN]] })],
  ['a policy that is none', put({ share: { ...SHARE, policy: 'fifo' } })],
  ['a version beyond the integers', put({ dead: 2 ** 53 })],
  ['an ownership below 0', put({ own: -1 })],
  ['a step that is no integer', increment({ by: 0.5 }), 'INVALID_ARGUMENT'],
  ['no keys', keys([])],
  ['too many keys', keys(times(L.keysMax + 1, (nth) => `k${nth}`))],
  ['no lines', { type: 'cache_bump', lines: [] }],
  ['an entry that is swept', { type: 'cache_swept', lines: [[ENTRY, 1]] }],
  [
    'too many lines that are swept',
    { type: 'cache_swept', lines: times(MACHINE_LIMITS.tagsPerEntryMax + 1, (nth) => [tagLine('n', 'c', `t${nth}`), 1]) },
  ],
  ['a configuration as a tag', { type: 'cache_bump', lines: [configLine('n', 'c')] }],
  ['too long a wait', load({ waitMs: L.loadWaitMsMax + 1 })],
  ['a node that is empty', { type: 'cache_hold', node: '' }],
  ['an owner of a tag', { type: 'cache_own', line: TAG, node: 'n1', count: 1, term: 1 }],
  ['a node that is too long', { type: 'cache_hold', node: 'n'.repeat(129) }],
  ['an owner of too many versions', { type: 'cache_own', line: ENTRY, node: 'n1', count: MACHINE_LIMITS.ownVersionsMax + 1, term: 1 }],
  ['an owner of nothing', { type: 'cache_own', line: ENTRY, node: 'n1', count: 0, term: 1 }],
  ['too small a cache', config({ bytesMax: L.bytesMaxMin - 1 })],
  ['too large a cache', config({ bytesMax: L.bytesMaxMax + 1 })],
  ['too many entries', config({ entriesMax: L.entriesMaxMax + 1 })],
  ['too long a life of its own', config({ ttlMs: L.ttlMsMax + 1 })],
  ['no entries', config({ entriesMax: 0 })],
  ['a policy of another name', config({ policy: 'fifo' })],
  ['a durability of another name', config({ durability: 'none' })],
  ['an unknown member', config({ shards: 4 })],
  ['a member of the prototype', config({ toString: 4 })],
  ['levels that are no list', config({ levels: '/' })],
  ['too many levels', config({ levels: ['1', '2', '3', '4', '5'] })],
  ['a level twice', config({ levels: ['/', '/'] })],
  ['a level that is empty', config({ levels: [''] })],
  ['a level that is too long', config({ levels: ['x'.repeat(L.levelLengthMax + 1)] })],
])('refused: %s', (_, command, code = 'INVALID_ARGUMENT') => {
  expect(decodeCommand(encodeCommand(command))).toMatchObject({ type: 'refused', code })
})

/** True commands with one byte changed, cut short, and anything else. */
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  // Past the first two bytes, which nearly all would fail on.
  fc
    .tuple(fc.integer({ min: 0x3f, max: 0x54 }), fc.uint8Array({ maxLength: 200 }))
    .map(([kind, rest]) => Uint8Array.of(0x41, kind, ...rest)),
  fc.tuple(anyCommand, fc.nat(), fc.nat(255), fc.boolean()).map(([command, at, value, cut]) => {
    const whole = encodeCommand(command)
    if (cut) return whole.subarray(0, at % whole.length)
    whole[at % whole.length] = value
    return whole
  }),
)

test('any bytes are a command or a refusal', () => {
  fc.assert(
    fc.property(bytes, (input) => {
      const decoded = decodeCommand(input)
      // What was taken is within the limits: it can be written and read again.
      if (decoded.type !== 'refused') expect(decodeCommand(encodeCommand(decoded))).toEqual(decoded)
    }),
    { numRuns: 4_000 },
  )
})

test('any bytes do the machine no harm', () => {
  fc.assert(
    fc.property(fc.array(bytes, { minLength: 1, maxLength: 20 }), (inputs) => {
      const bed = new Bed()
      for (const input of inputs) bed.runMore(input)
      bed.pass(1_000)
      bed.copy()
    }),
    { numRuns: 300 },
  )
})

test('bytes after a command, or another version of it, are refused', () => {
  const whole = encodeCommand(put({}))
  expect(decodeCommand(Uint8Array.of(...whole, 0))).toMatchObject({ code: 'INVALID_ARGUMENT' })
  expect(decodeCommand(Uint8Array.of(0x42, ...whole.subarray(1)))).toMatchObject({ code: 'INVALID_ARGUMENT' })
})
