/**
 * A gateway's subscriptions over homes that lose answers, refuse, forget and are replaced: whatever happens, each stream is told of every
 * change of its filter after its place, in the order of its partition, or that it has missed some.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../../test/manual-clock.ts'
import { TricordError } from '../../base/errors.ts'
import { entryLine } from '../line-id.ts'
import { Journal } from '../machine/journal.ts'
import { HomeWatches } from '../node/home-watches.ts'
import type { SweptPromise } from '../node/sweep-times.ts'
import type { Invalidation, InvalidationStream, WatchWhat } from '../types.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import { CATCH_UPS_MAX, GatewayInvalidations, KEYS_MAX, STREAMS_MAX } from './invalidations.ts'
import type { WatchPort } from './partition-watch.ts'
import { WATCH_LIMITS, type WatchQuestion } from './words.ts'

const PARTITIONS = 3
/** A key lives where its first digit says. */
const hash = (text: string): number => Number(text[0]) * 1_000
const ALL_SWEPT: SweptPromise = { since: Infinity, lagMs: 0, slowEndAt: -Infinity }
const NAME = { namespace: 'default', cache: 'app' }

function bed(journalMax = 10_000) {
  const clock = new ManualClock()
  const journals = Array.from({ length: PARTITIONS }, () => new Journal(journalMax, 0))
  const versions = journals.map(() => 0)
  const way = { loses: 0, refuses: 0, delayMs: 0 }
  const polls: number[] = []
  const sweeps = journals.map((): SweptPromise => ALL_SWEPT)
  let [underWay, most] = [0, 0]
  const newHome = (partition: number) =>
    new HomeWatches({
      term: 1,
      runningSince: () => -Infinity,
      clock,
      machine: {
        changesSince: (at) => journals[partition]!.since(at),
        get version() {
          return versions[partition]!
        },
      },
      sweeps: () => sweeps[partition]!,
      unsettled: () => 'none',
      confirm: (confirmed) => {
        const at = clock.now()
        clock.defer(() => confirmed(at))
      },
    })
  const homes = journals.map((_, partition) => newHome(partition))
  const pause = (ms: number) => new Promise<void>((resolve) => clock.after(ms, resolve))
  const tell = async (partition: number, asker: string, question: WatchQuestion) => {
    if (way.refuses > 0) {
      way.refuses -= 1
      throw new TricordError('NO_QUORUM', 'no home')
    }
    if (way.delayMs > 0) await pause(way.delayMs)
    const answer = await homes[partition]!.watch(asker, question)
    if (way.loses > 0) {
      way.loses -= 1
      await pause(2_000)
      throw new TricordError('UNKNOWN_OUTCOME', 'no answer')
    }
    return answer
  }
  const poll: WatchPort['poll'] = async (...question) => {
    polls.push(question[0])
    most = Math.max(most, ++underWay)
    try {
      return await tell(...question)
    } finally {
      underWay -= 1
    }
  }
  const gateway = new GatewayInvalidations({ clock, poll }, { partitions: PARTITIONS, hash, name: 'g' })
  const change = (key: string, cache = 'app'): number => {
    const partition = hash(key) % PARTITIONS
    const at = ++versions[partition]!
    journals[partition]!.push({ at, version: at, line: entryLine('default', cache, key), reason: 'put' })
    homes[partition]!.moved()
    return at
  }
  const failOver = (partition: number): void => {
    homes[partition]!.end()
    homes[partition] = newHome(partition)
  }
  const open = async (what: WatchWhat, cursor: string | null = null) => {
    const heard: Invalidation[] = []
    const counts = { resets: 0 }
    const listener = { invalidated: (events: readonly Invalidation[]) => void heard.push(...events), reset: () => void counts.resets++ }
    let stream: InvalidationStream | undefined
    void gateway.open(NAME, what, cursor, listener, 60_000).then((opened) => (stream = opened))
    await clock.until(() => stream !== undefined, 'the stream is open')
    return { stream: stream as InvalidationStream, heard, counts }
  }
  return { clock, way, polls, sweeps, change, failOver, open, gateway, most: () => most }
}

const keyOf = ({ key, version }: Invalidation) => `${key}@${version}`

describe('streams', () => {
  type Step = { readonly type: 'change' | 'lose' | 'refuse' | 'fail' | 'pass' | 'pause' | 'resume' | 'delay' | 'other'; readonly n: number }
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 10, arbitrary: fc.nat(29).map((n): Step => ({ type: 'change', n })) },
    { weight: 1, arbitrary: fc.nat(2).map((n): Step => ({ type: 'lose', n })) },
    { weight: 1, arbitrary: fc.nat(3).map((n): Step => ({ type: 'refuse', n })) },
    { weight: 1, arbitrary: fc.nat(2).map((n): Step => ({ type: 'fail', n })) },
    { weight: 4, arbitrary: fc.nat(30).map((n): Step => ({ type: 'pass', n })) },
    { weight: 1, arbitrary: fc.constant<Step>({ type: 'pause', n: 0 }) },
    { weight: 2, arbitrary: fc.constant<Step>({ type: 'resume', n: 0 }) },
    { weight: 1, arbitrary: fc.nat(40).map((n): Step => ({ type: 'delay', n })) },
    { weight: 1, arbitrary: fc.nat(2).map((n): Step => ({ type: 'other', n })) },
  )

  test('nothing is left out and nothing told twice, whatever is lost on the way', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { clock, way, change, failOver, open, gateway } = bed()
        const streams = [
          await open({ all: true }),
          await open({ prefix: '1' }),
          await open({ keys: ['00', '11', '22'] }),
          // Each time it is paused another goes on from its cursor.
          await open({ all: true }),
        ]
        const matches = [() => true, (key: string) => key.startsWith('1'), (key: string) => ['00', '11', '22'].includes(key), () => true]
        const expected: string[][] = streams.map(() => [])
        for (const { stream } of streams) stream.resume()
        const others: Promise<InvalidationStream>[] = []
        for (const { type, n } of steps) {
          if (type === 'change') {
            const key = `${n % 3}${Math.floor(n / 3) % 4}`
            const at = change(key)
            matches.forEach((match, nth) => match(key) && expected[nth]!.push(`${key}@${at}`))
          } else if (type === 'lose') way.loses = n
          else if (type === 'refuse') way.refuses = n
          else if (type === 'delay') way.delayMs = n
          else if (type === 'fail') failOver(n)
          else if (type === 'pass') await clock.pass(n)
          else if (type === 'pause') streams[0]!.stream.pause()
          else if (type === 'resume') streams[0]!.stream.resume()
          else {
            // Another interest on the same partitions, while answers are under way.
            const listener = { invalidated: () => {}, reset: () => {} }
            others.push(gateway.open({ ...NAME, cache: `c${n}` }, { all: true }, null, listener, 60_000))
          }
          if (type === 'pause') {
            const last = streams[3]!
            const cursor = last.stream.cursor()
            last.stream.end()
            const next = await open({ all: true }, cursor)
            next.stream.resume()
            streams[3] = { ...next, heard: Object.assign(next.heard, [...last.heard, ...next.heard]) }
          }
        }
        Object.assign(way, { loses: 0, refuses: 0, delayMs: 0 })
        for (const { stream } of streams) stream.resume()
        await clock.pass(5_000)
        streams.forEach(({ heard, counts }, nth) => {
          expect(heard.map(keyOf).toSorted()).toEqual(expected[nth]!.toSorted())
          expect(counts.resets).toBe(0)
          for (const digit of ['0', '1', '2']) {
            const order = heard.filter(({ key }) => key.startsWith(digit)).map(({ version }) => version)
            expect(order).toEqual(order.toSorted((a, b) => a - b))
          }
        })
        for (const { stream } of streams) stream.end()
        for (const other of others) (await other).end()
        await clock.pass(2_000)
      }),
      { numRuns: 500 },
    )
  })

  test('what is not remembered: a reset of what is broad, once for all partitions; of keys those that may be concerned', async () => {
    const { clock, change, open } = bed(2)
    const first = await open({ all: true })
    const cursor = first.stream.cursor()
    first.stream.end()
    for (let nth = 0; nth < 5; nth++) for (const key of ['00', '10']) change(key)
    const [all, keys] = [await open({ all: true }, cursor), await open({ keys: ['00', '11', '20'] }, cursor)]
    for (const { stream } of [all, keys]) stream.resume()
    await clock.pass(100)
    expect([all.counts.resets, all.heard]).toEqual([1, []])
    expect([keys.counts.resets, keys.heard]).toEqual([
      0,
      [
        { key: '00', version: 5, reason: 'invalidate' },
        { key: '11', version: 5, reason: 'invalidate' },
      ],
    ])
    change('20')
    await clock.pass(100)
    expect([all, keys].map(({ heard }) => keyOf(heard.at(-1)!))).toEqual(['20@1', '20@1'])
  })

  test('what the gateway has missed is not missed by who came further elsewhere', async () => {
    const { clock, way, change, open } = bed(2)
    const first = await open({ all: true })
    first.stream.resume()
    await clock.pass(100)
    way.refuses = 1_000_000
    await clock.pass(2_000)
    for (let nth = 0; nth < 3; nth++) change('00')
    const further = await open({ all: true }, encodeCursor(new Map(Array.from({ length: PARTITIONS }, (_, at) => [at, at === 0 ? 2 : 0]))))
    further.stream.resume()
    way.refuses = 0
    await clock.pass(2_000)
    expect([first.counts.resets, further.counts.resets]).toEqual([1, 0])
    expect(further.heard.map(keyOf)).toEqual(['00@3'])
    change('00')
    await clock.pass(100)
    expect([first, further].map(({ heard }) => keyOf(heard.at(-1)!))).toEqual(['00@4', '00@4'])
  })

  test('how old what was told may be: not known while homes are silent, or while it catches up', async () => {
    const { clock, way, open } = bed()
    const { stream } = await open({ all: true })
    expect(stream.ageMs()).toBe(Infinity)
    stream.resume()
    await clock.pass(100)
    expect(stream.ageMs()).toBeLessThanOrEqual(100)
    await clock.pass(3_000)
    expect(stream.ageMs()).toBeLessThanOrEqual(1_000)
    way.refuses = Infinity
    await clock.pass(4_000)
    expect(stream.ageMs()).toBeGreaterThan(2_000)
    way.refuses = 0
    await clock.pass(1_000)
    expect(stream.ageMs()).toBeLessThanOrEqual(1_000)
    stream.pause()
    expect(stream.ageMs()).toBe(Infinity)
  })

  test.each<[string, WatchWhat]>([
    ['all', { all: true }],
    ['keys of another partition', { keys: ['00', '10'] }],
  ])('what a tag kills is told as it is swept: of %s nothing later than the invalidation is certain', async (_, what) => {
    const { clock, sweeps, open } = bed()
    const { stream } = await open(what)
    stream.resume()
    stream.ageMs()
    await clock.pass(3_000)
    expect(stream.ageMs()).toBeLessThanOrEqual(1_000)
    const since = clock.now()
    sweeps[2] = { ...ALL_SWEPT, since }
    await clock.pass(2_500)
    expect(stream.ageMs()).toBe(2_500)
    // It was a slow one: whatever a home had told before is certain no more, until all have told something since.
    const told: number[] = []
    for (let nth = 0; nth < 11; nth++) {
      sweeps[2] = { ...ALL_SWEPT, slowEndAt: clock.now() }
      await clock.pass(100)
      told.push(stream.ageMs())
    }
    expect(told).toContain(Infinity)
    await clock.pass(1_000)
    expect(stream.ageMs()).toBeLessThanOrEqual(1_000)
    // Quick ones make everything as much less certain as they took.
    const before = stream.ageMs()
    sweeps[2] = { ...ALL_SWEPT, lagMs: 40 }
    await clock.pass(2_000)
    expect(stream.ageMs()).toBe(before + 40)
  })

  test('who has keys asks all homes how far their sweeps are, from when it wants to know until it ends', async () => {
    const { clock, polls, change, open } = bed()
    const [first, second] = [await open({ keys: ['00'] }), await open({ keys: ['01'] })]
    for (const { stream } of [first, second]) {
      stream.resume()
      expect(stream.ageMs()).toBe(Infinity)
    }
    await clock.pass(100)
    expect(first.stream.ageMs()).toBeLessThanOrEqual(100)
    polls.length = 0
    // Of no interest: it answers nobody.
    for (let nth = 0; nth < 20; nth++) {
      change('10')
      await clock.pass(100)
    }
    expect(new Set(polls)).toEqual(new Set([0, 1, 2]))
    expect(polls.length).toBeLessThan(12)
    first.stream.end()
    polls.length = 0
    await clock.pass(2_000)
    expect(new Set(polls)).toEqual(new Set([0, 1, 2]))
    second.stream.end()
    expect(second.stream.ageMs()).toBe(Infinity)
    polls.length = 0
    await clock.pass(2_000)
    expect(polls).toEqual([])
  })

  test('many that come back together ask a few at a time, and all of them hear everything', async () => {
    const { clock, way, change, open, most } = bed()
    const first = await open({ all: true })
    const cursor = first.stream.cursor()
    first.stream.resume()
    for (let nth = 0; nth < 3 * WATCH_LIMITS.changesMax; nth++) for (const key of ['00', '10', '20']) change(key)
    await clock.pass(1_000)
    way.delayMs = 2
    const streams = []
    for (let nth = 0; nth < 100; nth++) streams.push(await open({ all: true }, cursor))
    for (const { stream } of streams) stream.resume()
    await clock.pass(5_000)
    for (const { heard } of streams) expect(heard).toHaveLength(9 * WATCH_LIMITS.changesMax)
    // And the watches themselves.
    expect(most()).toBeGreaterThan(CATCH_UPS_MAX / 2)
    expect(most()).toBeLessThanOrEqual(CATCH_UPS_MAX + PARTITIONS)
  })

  test('as many as a gateway may have: one more is refused and leaves nothing behind, one that ends makes room', async () => {
    const { clock, change, open, gateway } = bed()
    const listener = { invalidated() {}, reset() {} }
    const refused = (what: WatchWhat) =>
      expect(gateway.open(NAME, what, null, listener, 60_000)).rejects.toMatchObject({
        code: 'QUOTA',
        details: { hint: expect.any(String) },
      })
    const many = Array.from({ length: 10_000 }, (_, nth) => `0${nth}`)
    const tracked = []
    for (let nth = 0; nth < KEYS_MAX / many.length - 1; nth++) tracked.push(await open({ keys: many }))
    tracked.push(await open({ keys: many.slice(1) }))
    await refused({ keys: ['00', '01'] })
    await open({ keys: ['00'] })
    await refused({ keys: ['00'] })
    for (let nth = tracked.length + 1; nth < STREAMS_MAX; nth++) void gateway.open(NAME, { prefix: '1' }, null, listener, 60_000)
    await clock.settle()
    await refused({ all: true })
    for (const { stream } of tracked) stream.end()
    const { stream, heard } = await open({ keys: ['00'] })
    stream.resume()
    change('00')
    await clock.pass(100)
    expect(heard).toHaveLength(1)
  })

  test('nobody interested: nobody asks', async () => {
    const { clock, polls, open } = bed()
    const { stream } = await open({ keys: ['00'] })
    stream.resume()
    await clock.pass(5_000)
    expect(new Set(polls)).toEqual(new Set([0]))
    expect(polls.length).toBeLessThan(12)
    stream.end()
    polls.length = 0
    await clock.pass(5_000)
    expect(polls).toEqual([])
  })

  test('a burst is told in few answers, none of it later than it may gather', async () => {
    const { clock, polls, change, open } = bed()
    const { stream, heard } = await open({ keys: ['00'] })
    stream.resume()
    await clock.pass(100)
    polls.length = 0
    for (let nth = 0; nth < 100; nth++) {
      change('00')
      await clock.pass(1)
      // Those of the last 5 ms, at most, are not told yet.
      expect(nth + 1 - heard.length).toBeLessThan(5)
    }
    await clock.pass(4)
    expect(heard).toHaveLength(100)
    expect(polls.length).toBeLessThan(25)
  })
})

test('cursors: what is none is refused', () => {
  const places = new Map([
    [0, 0],
    [7, 123_456],
    [63, Number.MAX_SAFE_INTEGER],
  ])
  expect(decodeCursor(encodeCursor(places))).toEqual(places)
  for (const text of ['', '2.0-1', '1.0', '1.0-', '1.0-1.0-1', '1.-1', '1.0-1,', '1.0-zzzzzzzzzzz', '1.0-1.', '1.A-1'])
    expect(decodeCursor(text), text).toBeNull()
})
