/** A flush that is refused: how often it is tried, and when it is over. */
import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../../test/manual-clock.ts'
import { type ErrorCode, TricordError } from '../../base/errors.ts'
import type { Millis } from '../../base/ids.ts'
import { entryLine } from '../line-id.ts'
import { NOTHING_HELD } from '../coherence/held.ts'
import { Flushes } from './flushes.ts'
import type { Lines } from './lines.ts'
import type { Writes } from './writes.ts'

const LINE = entryLine('default', 'c', 'k')

/** `answer` says what the log says to each try; null: it takes it. */
function bed(answer: (nth: number) => ErrorCode | null) {
  const clock = new ManualClock()
  const tries: Millis[] = []
  const refused: ErrorCode[] = []
  let committed: boolean | null = null
  const writes = {
    shareOf: () => ({ bytes: 1, entries: 1, policy: 'lru', configVersion: 0 }),
    submit: () => {
      const code = answer(tries.length)
      tries.push(clock.now())
      return code === null ? Promise.resolve({ type: 'flushed', version: 10 }) : Promise.reject(new TricordError(code, 'no'))
    },
  } as unknown as Writes
  const flushes = new Flushes(clock, writes, { stateOf: () => 'I' } as unknown as Lines, (_, code) => void refused.push(code))
  flushes.flush(0, { line: LINE, own: 7, version: 10, held: NOTHING_HELD, until: Infinity }, (is) => (committed = is))
  return { clock, tries, refused, flushes, outcome: () => committed }
}

const pausesOf = (tries: readonly Millis[]): number[] => tries.slice(1).map((at, nth) => at - (tries[nth] ?? 0))

test('what has no room is tried ever more rarely for ten seconds, then it is lost, and why is told', async () => {
  const { clock, tries, refused, outcome } = bed(() => 'QUOTA')
  await clock.pass(9_900)
  expect(outcome()).toBeNull()
  expect(pausesOf(tries)).toEqual([100, 200, 400, 800, 1_600, 3_200])
  await clock.pass(5_000)
  expect(outcome()).toBe(false)
  expect(refused).toEqual(['QUOTA'])
  const { length } = tries
  await clock.pass(60_000)
  expect(tries.length).toBe(length)
})

test('where nobody can be asked it is tried without an end, but not ever faster than every five seconds', async () => {
  let isBack = false
  const { clock, tries, outcome } = bed(() => (isBack ? null : 'NO_QUORUM'))
  await clock.pass(120_000)
  expect(outcome()).toBeNull()
  expect(tries.length).toBeLessThan(40)
  isBack = true
  await clock.pass(5_000)
  expect(outcome()).toBe(true)
})

test('room that comes back in time is used', async () => {
  const { clock, outcome } = bed((nth) => (nth < 4 ? 'QUOTA' : null))
  await clock.pass(3_000)
  expect(outcome()).toBe(true)
})

test.each<[ErrorCode, ErrorCode[]]>([
  ['FENCED', []],
  ['INVALID_ARGUMENT', ['INVALID_ARGUMENT']],
  ['TOO_LARGE', ['TOO_LARGE']],
])('%s is final', async (code, told) => {
  const { clock, tries, refused, outcome } = bed(() => code)
  await clock.pass(10_000)
  expect([tries.length, outcome()]).toEqual([1, false])
  expect(refused).toEqual(told)
})

test('what fails as the node stops is not tried again, and leaves no timer', async () => {
  const { clock, tries, flushes } = bed(() => 'NO_QUORUM')
  flushes.close()
  await Promise.resolve()
  await Promise.resolve()
  expect(clock.waiting).toBe(0)
  expect(tries.length).toBe(1)
})

/** Each copy is answered when the test says so. */
function silentBed() {
  const clock = new ManualClock()
  const answers: ((code: ErrorCode | null) => Promise<void>)[] = []
  const outcomes: boolean[] = []
  const writes = {
    shareOf: () => ({ bytes: 1, entries: 1, policy: 'lru', configVersion: 0 }),
    submit: () =>
      new Promise((resolve, reject) =>
        answers.push((code) => {
          if (code === null) resolve({ type: 'flushed', version: 10 })
          else reject(new TricordError(code, 'no'))
          return clock.settle()
        }),
      ),
  } as unknown as Writes
  const flushes = new Flushes(clock, writes, { stateOf: () => 'I' } as unknown as Lines, () => {})
  flushes.flush(0, { line: LINE, own: 7, version: 10, held: NOTHING_HELD, until: Infinity }, (is) => void outcomes.push(is))
  return { clock, answers, outcomes }
}

describe('a flush that is not answered soon', () => {
  test('is sent once more beside itself, and whichever comes into the log is enough', async () => {
    const { clock, answers, outcomes } = silentBed()
    await clock.pass(200)
    expect(answers.length).toBe(1)
    await clock.pass(4_000)
    expect(answers.length).toBe(2)
    await answers[1]?.(null)
    expect(outcomes).toEqual([true])
    await answers[0]?.('FENCED')
    await clock.pass(10_000)
    expect([outcomes, answers.length]).toEqual([[true], 2])
  })

  test('is not lost while one of the two may have been there before the ownership was over', async () => {
    const { clock, answers, outcomes } = silentBed()
    await clock.pass(300)
    await answers[1]?.('FENCED')
    await clock.pass(1_000)
    expect(outcomes).toEqual([])
    await answers[0]?.(null)
    expect(outcomes).toEqual([true])
  })

  test('is lost, or tried again, as the last of the two says', async () => {
    const lost = silentBed()
    await lost.clock.pass(300)
    await lost.answers[1]?.('FENCED')
    await lost.answers[0]?.('FENCED')
    expect(lost.outcomes).toEqual([false])
    const again = silentBed()
    await again.clock.pass(300)
    await again.answers[0]?.('UNKNOWN_OUTCOME')
    await again.answers[1]?.('UNKNOWN_OUTCOME')
    await again.clock.pass(150)
    expect([again.outcomes, again.answers.length]).toEqual([[], 3])
  })

  test('one that is answered in time goes alone, and leaves no timer', async () => {
    const { clock, answers, outcomes } = silentBed()
    await clock.pass(100)
    await answers[0]?.(null)
    expect(clock.waiting).toBe(0)
    await clock.pass(1_000)
    expect([outcomes, answers.length]).toEqual([[true], 1])
  })
})

test('lines are let go in the log some at a time, and each of them once', async () => {
  const clock = new ManualClock()
  let [underWay, most] = [0, 0]
  const released: string[] = []
  const submit = async (_: number, { line }: { readonly line: string }) => {
    most = Math.max(most, ++underWay)
    released.push(line)
    await new Promise<void>((resolve) => clock.after(10, resolve))
    underWay -= 1
    // One that fails holds up nobody.
    if (released.length % 3 === 0) throw new TricordError('NO_QUORUM', 'no')
  }
  const flushes = new Flushes(clock, { submit } as unknown as Writes, {} as Lines, () => {})
  const lines = Array.from({ length: 200 }, (_, nth) => `line ${nth}`)
  for (const line of lines) flushes.release(0, line, 1)
  await clock.pass(200)
  expect(released).toEqual(lines)
  expect([most, underWay]).toEqual([32, 0])
})
