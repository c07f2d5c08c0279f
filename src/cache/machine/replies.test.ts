/** What answers wait for: a change that they tell of, or a line of which they tell that nothing is there. */
import { expect, test } from 'vitest'
import { Bed, NAME, SHARE, putOf } from '../../../test/cache/bed.ts'
import { entryLine, tagLine } from '../line-id.ts'
import { encodeCommand } from './codec.ts'
import type { CacheCommand, LoadCommand } from './commands.ts'
import { type Gate, decodeReply, gateOf, isCacheReply } from './replies.ts'

const LINE = entryLine(NAME.namespace, NAME.cache, 'a')
const TAG = tagLine(NAME.namespace, NAME.cache, 't')
const NONE: Gate = { versions: [], lines: [], below: 0 }
const gone = { ...NAME, key: 'a', dead: 0, known: null, own: 0 } as const
const load: LoadCommand = { type: 'cache_load', ...NAME, key: 'a', waitMs: 0, staleOk: true, tags: [], dead: 0 }

/** After a put of `a` (1) and its deletion (2), another `b` (3) and an ownership of `o` (1), with versions 4 to 13. */
function gateAfter(...commands: readonly CacheCommand[]): Gate {
  const bed = new Bed()
  bed.put('a', '1')
  bed.delete('a')
  bed.put('b', '1')
  bed.run({ type: 'cache_own', line: entryLine(NAME.namespace, NAME.cache, 'o'), node: 'n1', count: 10, term: 1 })
  let gate = NONE
  for (const command of commands) {
    const reply = bed.machine.apply(bed, ++bed.ticket, encodeCommand(command))
    if (reply === null || !isCacheReply(reply)) throw new Error('no answer of a cache')
    gate = gateOf(reply)
  }
  return gate
}

test.each<[string, readonly CacheCommand[], Partial<Gate>]>([
  ['a put', [putOf('a', '1')], { versions: [14] }],
  ['a put that others have to go for', [putOf('a', '1', { share: { ...SHARE, entries: 1 } })], { versions: [14] }],
  ['a condition that does not hold', [putOf('a', '1', { condition: 'present' })], { lines: [LINE] }],
  ['a token that is over', [putOf('a', '1', { loadToken: 9 })], { lines: [LINE] }],
  ['a deletion', [{ type: 'cache_delete', ...gone, key: 'b', condition: null }], { versions: [14] }],
  ['a deletion of what was deleted before', [{ type: 'cache_delete', ...gone, condition: null }], { lines: [LINE] }],
  ['an increment', [{ type: 'cache_increment', ...gone, by: 1, ttlMs: null, tags: [], share: SHARE }], { versions: [14] }],
  ['an invalidation of keys', [{ type: 'cache_invalidate_keys', ...NAME, keys: ['a', 'b'] }], { versions: [14], lines: [LINE] }],
  ['tags', [{ type: 'cache_bump', lines: [TAG, TAG] }], { versions: [14, 15] }],
  ['a sweep', [{ type: 'cache_sweep', ...NAME, what: { all: true }, below: 0, after: 0 }], { versions: [14], below: 14 }],
  ['a line that is swept', [{ type: 'cache_swept', lines: [[TAG, 1]] }], NONE],
  ['a configuration', [{ type: 'cache_configure', ...NAME, config: {} }], { versions: [14] }],
  ['a token', [load], { lines: [LINE] }],
  ['a load that finds another one loading', [load, load], { lines: [LINE] }],
  ['a load that finds a value', [putOf('a', '1'), load], { versions: [14] }],
  ['a touch', [{ type: 'cache_touch', ...NAME, keys: ['b'] }], NONE],
  ['the line of an owner', [putOf('o', '1')], NONE],
  ['what cannot be judged', [putOf('a', '1', { tags: [[TAG, 0]] }), putOf('a', '1', { condition: 'present', known: [] })], NONE],
  ['a node that may hold copies', [{ type: 'cache_hold', node: 'n1' }], NONE],
])('%s', (_, commands, gate) => {
  expect(gateAfter(...commands)).toEqual({ ...NONE, ...gate })
})

test('what is no reply of a cache is told from one', () => {
  for (const reply of [null, true, 64, 'x', [], [0], [63], ['64'], { type: 'x' }]) expect(isCacheReply(reply)).toBe(false)
  expect(() => decodeReply([63, []])).toThrow('tuple')
  expect(() => decodeReply([127, []])).toThrow('unknown kind')
})
