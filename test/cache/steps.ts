/** What may happen to the caches of a partition, for fast-check: small numbers, so that things meet. */
import * as fc from 'fast-check'
import { levelLine, tagLine } from '../../src/cache/line-id.ts'
import { ROOM_UNBOUNDED } from '../../src/cache/machine/room.ts'
import { NAME } from './bed.ts'

export const CACHES = [NAME, { namespace: 'default', cache: 'other' }] as const
export const KEYS = ['a', 'a/b', 'a/b/c', 'b', 'c', 'd', 'e', 'f'] as const
export const LINES = [
  tagLine(NAME.namespace, NAME.cache, 't'),
  tagLine(NAME.namespace, NAME.cache, 'u'),
  levelLine(NAME.namespace, NAME.cache, 'a/'),
  tagLine('default', 'other', 't'),
] as const
export const NODES = ['n1', 'n2', 'n3'] as const

const rarely = <T>(often: T, ...seldom: T[]) => fc.constantFrom(often, often, often, often, ...seldom)
const name = fc.constantFrom(CACHES[0], CACHES[0], CACHES[0], CACHES[1])
const key = fc.constantFrom('a', 'a', 'a', 'a/b', 'a/b', ...KEYS)
const line = fc.constantFrom(LINES[0], LINES[0], LINES[1], LINES[2], LINES[3])
const ttlMs = fc.constantFrom(null, null, 100, 1_000, 90_000)
const slidingMs = rarely(0, 0, 400)
/** What is known of lines: mostly their versions as they are. */
const tags = fc.uniqueArray(fc.tuple(line, fc.constantFrom(0, 0, 0, -1, 1)), { maxLength: 3, selector: ([text]) => text })
/** An entry's version as it is, or one beside it. */
const version = fc.constantFrom(0, 0, 0, -1, 1)
const condition = fc.oneof(
  { weight: 4, arbitrary: fc.constant(null) },
  { weight: 1, arbitrary: fc.constantFrom('absent' as const, 'present' as const) },
  { weight: 1, arbitrary: version },
)
/** What is there was seen to be dead. */
const isDead = rarely(false, false, true)
/** Of tags: nothing, what the entry carries, or something. */
const known = fc.oneof({ weight: 2, arbitrary: fc.constantFrom(null, null, 'true' as const) }, { weight: 1, arbitrary: tags })
/** null: none; else the nth of those given last, or the true one. */
const own = rarely<null | 'true' | number>(null, null, null, 'true', 'true', 0, 1)
const loadToken = rarely<null | 'true' | number>(null, null, 'true', 'true', 'true', 0, 1)

const share = fc.record({
  bytes: fc.constantFrom(1_000_000, 1_000_000, 30, 60),
  entries: fc.constantFrom(1_000, 1_000, 1_000, 3, 4),
  policy: fc.constantFrom('lru' as const, 's3fifo' as const),
  configVersion: fc.constantFrom(0, 0, 0, 1, 2),
})
/** Mostly the cache's own. */
const itsShare = fc.option(share, { freq: 8 })
const value = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('', '1', '-7', 'x', 'a value', '9007199254740990', '9007199254740993') },
  { weight: 1, arbitrary: fc.constantFrom('x'.repeat(25), 'x'.repeat(70)) },
)

const of = <T extends string>(type: T) => fc.constant(type)

export const step = fc.oneof(
  {
    weight: 24,
    arbitrary: fc.record({
      type: of('put'),
      name,
      key,
      value,
      ttlMs,
      slidingMs,
      tags,
      condition,
      loadToken,
      isDead,
      known,
      own,
      share: itsShare,
    }),
  },
  { weight: 7, arbitrary: fc.record({ type: of('delete'), name, key, condition, isDead, known, own }) },
  {
    weight: 6,
    arbitrary: fc.record({
      type: of('increment'),
      name,
      key,
      by: fc.constantFrom(1, -2, 5, Number.MAX_SAFE_INTEGER - 1),
      ttlMs,
      tags,
      isDead,
      known,
      own,
      share: itsShare,
    }),
  },
  { weight: 10, arbitrary: fc.record({ type: of('touch'), name, keys: fc.array(key, { minLength: 1, maxLength: 4 }) }) },
  { weight: 4, arbitrary: fc.record({ type: of('bump'), lines: fc.array(line, { minLength: 1, maxLength: 3 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: of('configure'),
      name,
      config: fc.record(
        { ttlMs: fc.nat(9), policy: fc.constantFrom('lru' as const, 's3fifo' as const), levels: fc.constantFrom([], ['/']) },
        { requiredKeys: [] },
      ),
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: of('invalidate'), name, keys: fc.array(key, { minLength: 1, maxLength: 3 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      type: of('sweep'),
      name,
      what: fc.oneof(
        line.map((text) => ({ line: text })),
        line.map((text) => ({ line: text })),
        fc.constantFrom({ prefix: 'a' }, { prefix: 'a/b' }, { prefix: '' }),
        fc.constant({ all: true as const }),
      ),
      /** Below the line's version, or the last one, by so much. */
      below: fc.constantFrom(0, 0, 0, 1, 5),
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: of('swept'), lines: tags }) },
  { weight: 3, arbitrary: fc.record({ type: of('limits'), name, share }) },
  { weight: 2, arbitrary: fc.record({ type: of('room'), bytes: fc.constantFrom(ROOM_UNBOUNDED, 1_500, 3_000, 4_500, 6_000) }) },
  {
    weight: 14,
    arbitrary: fc.record({
      type: of('load'),
      name,
      key,
      waitMs: fc.constantFrom(0, 300, 5_000, 25_000),
      staleOk: fc.boolean(),
      tags,
      isDead,
    }),
  },
  // What is rare by chance: a key is loaded, its time passes, another one loads it.
  { weight: 4, arbitrary: fc.record({ type: of('reload'), name, key, tags }) },
  { weight: 2, arbitrary: fc.record({ type: of('hold'), node: fc.constantFrom(...NODES), isOver: rarely(false, false, true) }) },
  { weight: 3, arbitrary: fc.record({ type: of('own'), name, key, node: fc.constantFrom(...NODES), count: fc.constantFrom(1, 3, 10) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      type: of('flush'),
      back: rarely(0, 0, 1, 2),
      /** Beyond the last that was flushed. */
      version: fc.constantFrom(1, 1, 1, 2, 0, 11),
      value: fc.option(value, { freq: 4 }),
      ttlMs,
      tags,
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: of('release'), back: rarely(0, 0, 1, 2) }) },
  { weight: 2, arbitrary: fc.record({ type: of('cancel'), back: fc.nat({ max: 8 }) }) },
  {
    weight: 16,
    arbitrary: fc.record({
      type: of('pass'),
      ms: fc.constantFrom(1, 1, 50, 100, 100, 200, 300, 450, 1_000, 5_000, 10_000, 30_000, 61_000).map(Number),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: of('copy'), seed: fc.nat(), instead: fc.boolean() }) },
)
export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never
