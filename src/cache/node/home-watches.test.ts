/** What a home tells those who watch it, in virtual time: settled changes alone, in order, and up to when that is everything. */
import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../../test/manual-clock.ts'
import { TricordError } from '../../base/errors.ts'
import { Journal } from '../machine/journal.ts'
import { WATCH_LIMITS, type WatchAnswer, type WatchQuestion } from '../watch/words.ts'
import { HomeWatches } from './home-watches.ts'
import type { SweptPromise } from './sweep-times.ts'

const ALL_SWEPT: SweptPromise = { since: Infinity, lagMs: 0, slowEndAt: -Infinity }
const APP = 'e7.3.defaultapp'

function bed(journalMax = 1_000) {
  const clock = new ManualClock()
  const journal = new Journal(journalMax, 0)
  const asked: { readonly confirmed: (at: number) => void; readonly refused: () => void; readonly at: number }[] = []
  const home = {
    version: 0,
    /** Not settled yet, with when their invalidation began. */
    unsettled: [] as { change: number; since: number }[],
    isOpen: true,
    /** A suspension was seen then. */
    runningSince: -Infinity,
    confirms: true,
    sweeps: ALL_SWEPT,
  }
  const watches = new HomeWatches({
    term: 3,
    clock,
    runningSince: () => home.runningSince,
    machine: {
      changesSince: (at) => journal.since(at),
      get version() {
        return home.version
      },
    },
    sweeps: () => home.sweeps,
    unsettled: () => (home.isOpen ? (home.unsettled[0] ?? 'none') : null),
    confirm(confirmed, refused) {
      const at = clock.now()
      asked.push({ confirmed, refused, at })
      if (home.confirms) clock.defer(() => confirmed(at))
    },
  })
  const change = (key: string, line = APP + key): number => {
    home.version += 1
    journal.push({ at: home.version, version: home.version, line, reason: 'put' })
    watches.moved()
    return home.version
  }
  const watch = (question: Partial<WatchQuestion>, asker = 'g') => {
    const told: { answer: WatchAnswer | null; error: TricordError | null } = { answer: null, error: null }
    watches.watch(asker, { since: 0, interest: [APP], waitMs: WATCH_LIMITS.waitMs, ...question }).then(
      (answer) => (told.answer = answer),
      (error: TricordError) => (told.error = error),
    )
    return told
  }
  const keys = ({ answer }: { readonly answer: WatchAnswer | null }) => answer?.changes.map(([, , line]) => line.slice(APP.length))
  return { clock, home, asked, watches, change, watch, keys }
}

describe('changes', () => {
  test('those of interest are told at once, many of a turn together; a question from nowhere is told where things are', async () => {
    const { clock, change, watch, keys } = bed()
    change('before')
    const head = watch({ since: null })
    await clock.settle()
    expect(head.answer).toMatchObject({ term: 3, upTo: 1, changes: [], lost: false })
    const told = watch({ since: 1 })
    await clock.settle()
    expect(told.answer).toBeNull()
    change('a')
    change('', 'e7.5.defaultother')
    change('', `t${APP.slice(1)}tag`)
    change('b')
    await clock.settle()
    expect(keys(told)).toEqual(['a', 'b'])
    expect(told.answer).toMatchObject({ upTo: 5 })
    const everything = watch({ since: 1, interest: [], waitMs: 0 })
    await clock.settle()
    expect(everything.answer?.changes.map(([at]) => at)).toEqual([2, 3, 5])
  })

  test('what is not settled is not told, nor what came after it', async () => {
    const { clock, home, change, watches, watch, keys } = bed()
    change('a')
    home.unsettled = [{ change: 2, since: 0 }]
    change('b')
    change('c')
    const told = watch({})
    await clock.settle()
    expect(keys(told)).toEqual(['a'])
    expect(told.answer?.upTo).toBe(1)
    const rest = watch({ since: 1 })
    await clock.settle()
    expect(rest.answer).toBeNull()
    home.unsettled = []
    watches.moved()
    await clock.settle()
    expect(keys(rest)).toEqual(['b', 'c'])
  })

  test('a large number comes in pages, none of them left out', async () => {
    const { clock, change, watch, keys } = bed()
    for (let nth = 0; nth < 2 * WATCH_LIMITS.changesMax + 10; nth++) change(`${nth}`)
    const got: string[] = []
    for (let since = 0; got.length < 2 * WATCH_LIMITS.changesMax + 10;) {
      const page = watch({ since })
      await clock.settle()
      got.push(...(keys(page) ?? []))
      since = page.answer?.upTo ?? 0
    }
    expect(got).toEqual(Array.from({ length: got.length }, (_, nth) => `${nth}`))
  })

  test('what is forgotten is said to be lost; a place that was never reached, too', async () => {
    const { clock, change, watch } = bed(2)
    for (const key of ['a', 'b', 'c']) change(key)
    const [old, bogus] = [watch({ since: 0 }, 'old'), watch({ since: 99 }, 'bogus')]
    await clock.settle()
    expect(old.answer).toMatchObject({ lost: true, upTo: 3, changes: [], fresh: null })
    expect(bogus.answer).toMatchObject({ lost: true, upTo: 3 })
  })

  test('a watch that hears of other caches alone is not left behind by the journal', async () => {
    const { clock, change, watch } = bed(2)
    const told = watch({ since: 0 })
    for (let nth = 0; nth < 5; nth++) {
      change('', 'e7.5.defaultother')
      await clock.settle()
    }
    change('a')
    await clock.settle()
    expect(told.answer).toMatchObject({ lost: false, upTo: 6 })
    expect(told.answer?.changes).toHaveLength(1)
  })
})

describe('how far it can be trusted', () => {
  test('with nothing to tell it is confirmed when its time is over, and that is what it is worth', async () => {
    const { clock, watch, asked } = bed()
    const told = watch({ since: 0 })
    await clock.pass(WATCH_LIMITS.waitMs - 1)
    expect(told.answer).toBeNull()
    await clock.pass(1)
    expect(told.answer).toMatchObject({ upTo: 0, changes: [], fresh: WATCH_LIMITS.waitMs })
    expect(asked).toHaveLength(2)
  })

  test('an invalidation under way holds it at its begin', async () => {
    const { clock, home, change, watch } = bed()
    const told = watch({ since: 0 })
    await clock.pass(300)
    home.unsettled = [{ change: 1, since: 290 }]
    change('slow')
    await clock.pass(1_000)
    expect(told.answer).toMatchObject({ changes: [], upTo: 0, fresh: 290 })
  })

  test('what was confirmed before the machine was suspended is worth nothing after it', async () => {
    const { clock, home, change, watch } = bed()
    watch({ since: 0 })
    await clock.settle()
    await clock.pass(100)
    home.runningSince = clock.now()
    change('a')
    const told = watch({ since: 0 }, 'another')
    await clock.settle()
    expect(told.answer).toMatchObject({ upTo: 1, fresh: null })
  })

  test('where no majority answers nothing is told, and in the end that this is no home', async () => {
    const { clock, home, watch, watches } = bed()
    home.confirms = false
    const told = watch({ since: 0 })
    await clock.pass(WATCH_LIMITS.waitMs + WATCH_LIMITS.slackMs - 1)
    expect(told).toEqual({ answer: null, error: null })
    await clock.pass(1)
    expect(told.error?.code).toBe('NO_QUORUM')
    expect(watches.size).toBe(0)
  })

  test('what is there is told without a confirmation, and says that it is worth nothing more', async () => {
    const { clock, home, change, watch } = bed()
    home.confirms = false
    change('a')
    const told = watch({ since: 0 })
    await clock.settle()
    expect(told.answer).toMatchObject({ fresh: null, upTo: 1 })
    expect(told.answer?.changes).toHaveLength(1)
  })
})

describe('sweeps', () => {
  test('hold up nothing but what is said of them', async () => {
    const { clock, home, change, watch, keys } = bed()
    await clock.pass(400)
    home.sweeps = { since: 390, lagMs: 12.5, slowEndAt: 300 }
    const told = watch({ since: 0 })
    await clock.pass(200)
    change('a')
    await clock.settle()
    expect(keys(told)).toEqual(['a'])
    expect(told.answer).toMatchObject({ fresh: 0, swept: -10, lagMs: 13, slowAgo: 300 })
  })

  test('all of which are done are as certain as the lead is', async () => {
    const { clock, watch } = bed()
    const told = watch({ since: 0 })
    await clock.pass(WATCH_LIMITS.waitMs)
    expect(told.answer).toMatchObject({ fresh: WATCH_LIMITS.waitMs, swept: WATCH_LIMITS.waitMs, lagMs: 0, slowAgo: null })
  })

  test('of which nobody can say since when leave the rest as it is; those from before a suspension, too', async () => {
    const { clock, home, watch } = bed()
    await clock.pass(100)
    home.sweeps = { ...ALL_SWEPT, since: -Infinity }
    const unknown = watch({ since: 0 }, 'unknown')
    await clock.pass(WATCH_LIMITS.waitMs)
    expect(unknown.answer).toMatchObject({ fresh: WATCH_LIMITS.waitMs, swept: null })
    home.runningSince = 200
    home.sweeps = { ...ALL_SWEPT, since: 150 }
    const before = watch({ since: 0 }, 'before')
    await clock.pass(WATCH_LIMITS.waitMs)
    expect(before.answer).toMatchObject({ fresh: WATCH_LIMITS.waitMs, swept: null })
  })
})

describe('the home', () => {
  test('a silent one says nothing before it speaks', async () => {
    const { clock, home, change, watches, watch, keys } = bed()
    home.isOpen = false
    change('a')
    const told = watch({ since: 0 })
    await clock.pass(100)
    expect(told.answer).toBeNull()
    home.isOpen = true
    watches.moved()
    await clock.settle()
    expect(keys(told)).toEqual(['a'])
  })

  test('one that is deposed sends everybody away at once', async () => {
    const { clock, watches, watch } = bed()
    const told = watch({ since: 0 })
    watches.end()
    const late = watch({ since: 0 })
    await clock.settle()
    expect([told.error?.code, late.error?.code]).toEqual(['NO_QUORUM', 'NO_QUORUM'])
  })

  test('a later question of a watch takes the place of the earlier', async () => {
    const { clock, change, watches, watch, keys } = bed()
    const [first, second] = [watch({ since: 0 }), watch({ since: 0, interest: ['e7.5.defaultother'] })]
    change('', 'e7.5.defaultother')
    await clock.settle()
    expect(first.error?.code).toBe('OVERLOADED')
    expect(keys(second)).toHaveLength(1)
    expect(watches.size).toBe(0)
  })

  test('as many as may watch a partition: another is refused, one of them may ask again', async () => {
    const { clock, change, watches, watch, keys } = bed()
    const told = Array.from({ length: WATCH_LIMITS.perHomeMax }, (_, nth) => watch({ since: 0 }, `g${nth}`))
    const another = watch({ since: 0 }, 'another')
    const again = watch({ since: 0 }, 'g0')
    await clock.settle()
    expect([another.error?.code, told[0]?.error?.code]).toEqual(['OVERLOADED', 'OVERLOADED'])
    expect(watches.size).toBe(WATCH_LIMITS.perHomeMax)
    change('a')
    await clock.settle()
    expect([keys(again), keys(told[1] ?? { answer: null }), watches.size]).toEqual([['a'], ['a'], 0])
  })

  test('many watches that hear nothing cost one confirmation, not one each', async () => {
    const { clock, asked, watch } = bed()
    for (let nth = 0; nth < 50; nth++) watch({ since: 0 }, `g${nth}`)
    await clock.settle()
    expect(asked).toHaveLength(1)
  })
})
