/** Any command that is within the limits, for the codec. */
import * as fc from 'fast-check'
import { entryLine, levelLine, tagLine } from '../../src/cache/line-id.ts'
import type { CacheCommand } from '../../src/cache/machine/commands.ts'

const text = (min: number) => fc.string({ unit: fc.constantFrom('a', '.', '{', 'é', '𝄞', '\uFEFF', '7'), minLength: min, maxLength: 12 })
const cache = fc.record({ namespace: text(1), cache: text(1) })
const name = fc.record({ namespace: text(1), cache: text(1), key: text(1) })
const number = fc.oneof(fc.nat(), fc.constantFrom(0, 1, 2 ** 40, Number.MAX_SAFE_INTEGER - 1))
const positive = number.map((value) => Math.max(1, value))
const tagOrLevel = fc.tuple(fc.constantFrom(tagLine, levelLine), cache, text(0)).map(([make, of, tag]) => make(of.namespace, of.cache, tag))
const entry = name.map(({ namespace, cache: of, key }) => entryLine(namespace, of, key))
const tags = fc.uniqueArray(fc.tuple(tagOrLevel, number), { maxLength: 4, selector: ([line]) => line })
const ttlMs = fc.option(fc.integer({ min: 1, max: 31_536_000_000 }))
const slidingMs = fc.constantFrom(0, 500)
const value = fc.uint8Array({ maxLength: 40 })
const condition = fc.oneof(fc.constantFrom(null, 'absent' as const, 'present' as const), number)
const share = fc.record({
  bytes: number,
  entries: number,
  policy: fc.constantFrom('lru' as const, 's3fifo' as const),
  configVersion: number,
})
const keys = fc.array(text(1), { minLength: 1, maxLength: 5 })
const node = text(1)
const of = <T extends string>(type: T) => fc.constant(type)
const before = { dead: number, known: fc.option(tags), own: number }

function named<T extends object>(type: string, rest: fc.Arbitrary<T>, base: fc.Arbitrary<object> = name): fc.Arbitrary<CacheCommand> {
  return fc.tuple(base, rest).map(([first, more]) => ({ type, ...first, ...more }) as unknown as CacheCommand)
}

export const anyCommand: fc.Arbitrary<CacheCommand> = fc.oneof(
  named(
    'cache_put',
    fc.record({ ...before, value, contentType: text(0), ttlMs, slidingMs, tags, condition, loadToken: fc.option(number), share }),
  ).map((command) =>
    'loadToken' in command && command.loadToken === Number.MAX_SAFE_INTEGER - 1 ? { ...command, loadToken: 7 } : command,
  ),
  named('cache_delete', fc.record({ ...before, condition })),
  named('cache_increment', fc.record({ ...before, by: fc.oneof(fc.integer(), fc.constant(-(2 ** 40))), ttlMs, tags, share })),
  named('cache_touch', fc.record({ keys }), cache),
  named('cache_invalidate_keys', fc.record({ keys }), cache),
  fc.record({ type: of('cache_bump'), lines: fc.array(tagOrLevel, { minLength: 1, maxLength: 4 }) }),
  named(
    'cache_configure',
    fc.record({
      config: fc.record(
        {
          bytesMax: fc.constantFrom(65_536, 2 ** 40),
          entriesMax: fc.constantFrom(1, 1e9),
          policy: fc.constantFrom('lru' as const, 's3fifo' as const),
          ttlMs: fc.nat(),
          levels: fc.constantFrom([], ['/', '::']),
          durability: fc.constantFrom('quorum' as const, 'writeback' as const),
        },
        { requiredKeys: [] },
      ),
    }),
    cache,
  ),
  named(
    'cache_sweep',
    fc.record({
      what: fc.oneof(
        tagOrLevel.map((line) => ({ line })),
        text(0).map((prefix) => ({ prefix })),
        fc.constant({ all: true as const }),
      ),
      below: number,
      after: number,
    }),
    cache,
  ),
  fc.record({ type: of('cache_swept'), lines: tags }),
  named('cache_limits', fc.record({ share }), cache),
  named('cache_begin', fc.record({}), cache),
  named('cache_load', fc.record({ waitMs: fc.nat(25_000), staleOk: fc.boolean(), tags, dead: number })),
  fc.record({ type: of('cache_hold'), node }),
  fc.record({ type: of('cache_unhold'), node, term: number }),
  fc.record({ type: of('cache_own'), line: entry, node, count: fc.integer({ min: 1, max: 1_000_000 }), term: number }),
  fc.record({
    type: of('cache_flush'),
    line: entry,
    own: positive,
    version: positive,
    value: value as fc.Arbitrary<Uint8Array | null>,
    contentType: text(0),
    ttlMs,
    slidingMs,
    tags,
    share,
  }),
  fc.record({
    type: of('cache_flush'),
    line: entry,
    own: positive,
    version: positive,
    value: fc.constant(null),
    contentType: of(''),
    ttlMs: fc.constant(null),
    slidingMs: fc.constant(0),
    tags: fc.constant([]),
    share,
  }),
  fc.record({ type: of('cache_room'), bytes: positive, term: fc.nat() }),
  fc.record({ type: of('cache_release'), line: entry, own: positive, term: fc.nat() }),
)
