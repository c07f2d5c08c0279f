/** Every ask ends exactly once, and the deadlines of many cost few looks. */
import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../test/manual-clock.ts'
import { TricordError } from '../base/errors.ts'
import type { Timer } from '../io/clock.ts'
import { Asks } from './asks.ts'
import { type Envelope, FAILURE, type Plain } from './envelope.ts'

const answer = (inReplyTo: number, msgType = 'answered', payload: Plain = null): Envelope => ({
  msgId: 1,
  msgType,
  senderId: 'n2/x',
  receiverId: 'n1/ask',
  payload,
  timestamp: 0,
  inReplyTo,
  timeoutMs: 0,
  traceparent: '',
})

const ending = (asked: Promise<Envelope>): Promise<string> =>
  asked.then(
    ({ msgType }) => msgType,
    (error: unknown) => (error instanceof TricordError ? `${error.code} ${error.outcome}` : String(error)),
  )

class CountingClock extends ManualClock {
  timers = 0
  override after(delayMs: number, run: () => void): Timer {
    this.timers++
    return super.after(delayMs, run)
  }
}

describe('asks', () => {
  test('a deadline ends an ask with an unknown outcome, not earlier; a late answer finds nobody', async () => {
    const clock = new ManualClock()
    const asks = new Asks(clock)
    const [short, long] = [ending(asks.add(1, 'n2/x', 'q', 100)), ending(asks.add(2, 'n2/x', 'q', 5_000))]
    await clock.pass(99)
    expect(asks.size).toBe(2)
    await clock.pass(20)
    expect(await short).toBe('UNKNOWN_OUTCOME unknown')
    expect(asks.settle(answer(1))).toBe(false)
    expect(asks.settle(answer(2))).toBe(true)
    expect(asks.settle(answer(2))).toBe(false)
    expect(await long).toBe('answered')
    expect(asks.size).toBe(0)
  })

  test('a failure rejects with its code; a code nobody knows says that the outcome is unknown', async () => {
    const asks = new Asks(new ManualClock())
    const ends = [1, 2, 3].map((id) => ending(asks.add(id, 'n2/x', 'q', 100)))
    asks.settle(answer(1, FAILURE, ['FORBIDDEN', 'no']))
    asks.settle(answer(2, FAILURE, ['__proto__', 'no']))
    asks.settle(answer(3, FAILURE, 'nonsense'))
    expect(await Promise.all(ends)).toEqual(['FORBIDDEN not-applied', 'UNKNOWN_OUTCOME unknown', 'UNKNOWN_OUTCOME unknown'])
  })

  test('closing ends what waits', async () => {
    const asks = new Asks(new ManualClock())
    const end = ending(asks.add(1, 'n2/x', 'q', 100))
    asks.close()
    expect(await end).toBe('UNKNOWN_OUTCOME unknown')
  })

  test('a thousand deadlines within a second share a hundred looks', async () => {
    const clock = new CountingClock()
    const asks = new Asks(clock)
    const ends = Array.from({ length: 1_000 }, (_, i) => ending(asks.add(i + 1, 'n2/x', 'q', 1_000 + i)))
    await clock.pass(2_100)
    expect(new Set(await Promise.all(ends))).toEqual(new Set(['UNKNOWN_OUTCOME unknown']))
    expect(clock.timers).toBeLessThanOrEqual(102)
  })
})
