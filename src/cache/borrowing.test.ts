/** The gateway's half of lending: answers that are overtaken, a node that has forgotten, and who stops. */
import { expect, test } from 'vitest'
import { ManualClock } from '../../test/manual-clock.ts'
import type { Plain } from '../actors/envelope.ts'
import { TricordError } from '../base/errors.ts'
import { GatewayBorrowing } from './borrowing.ts'

interface Asked {
  readonly call: readonly Plain[]
  readonly answer: (value: unknown) => Promise<void>
  readonly refuse: (code: 'NOT_FOUND' | 'NO_QUORUM' | 'QUOTA') => Promise<void>
}

const NAME = { namespace: 'default', cache: 'c', key: 'k' }
const READ = ['S', true, 7, new Uint8Array(1), 'text/plain', null]

/** A node that answers when it is told to. */
async function bed() {
  const clock = new ManualClock()
  const asked: Asked[] = []
  const told: (readonly [number, string | null])[] = []
  const ask = (call: readonly Plain[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const after = async (): Promise<void> => clock.settle()
      asked.push({
        call,
        answer: (value) => (resolve(value), after()),
        refuse: (code) => (reject(new TricordError(code, 'no')), after()),
      })
    })
  let names = 0
  const borrowing = new GatewayBorrowing(clock, ask, () => `b${++names}`, { calledBack: (n, key) => void told.push([n, key]) })
  /** The next question of that name. */
  const next = (operation: string): Asked => {
    const at = asked.findIndex(({ call }) => call[0] === operation)
    if (at < 0) throw new Error(`${operation} is not asked`)
    return asked.splice(at, 1)[0] as Asked
  }
  const opening = borrowing.open(1_000)
  await next('lend_open').answer(null)
  await opening
  return { clock, asked, told, borrowing, next }
}

test('what was called back while its answer was on its way is not lent', async () => {
  const { borrowing, next, told } = await bed()
  borrowing.resume()
  const reads = [borrowing.get(NAME, { timeoutMs: 1_000 }), borrowing.get(NAME, { timeoutMs: 1_000 })]
  const answer = (after: number): unknown => [READ, [after, 900, null]]
  await next('lend_get').answer(answer(0))
  const first = await reads[0]
  expect(first?.lent()).toEqual({ leaseMs: 900, ttlMs: null })
  await next('lend_wait').answer([[1, 'k']])
  await next('lend_get').answer(answer(0))
  // Asked as it leaves, not as it came.
  expect([first?.lent(), (await reads[1])?.lent()]).toEqual([null, null])
  const later = borrowing.get(NAME, { timeoutMs: 1_000 })
  await next('lend_get').answer(answer(1))
  expect((await later).lent()).toEqual({ leaseMs: 900, ttlMs: null })
  expect(told).toEqual([[1, 'k']])
  expect(next('lend_wait').call).toEqual(['lend_wait', 'b1', 1, 5_000])
})

test('what is told twice is told once; what is not lent is a read like any other', async () => {
  const { borrowing, next, told } = await bed()
  borrowing.resume()
  await next('lend_wait').answer([
    [1, 'a'],
    [2, 'b'],
  ])
  await next('lend_wait').answer([
    [2, 'b'],
    [4, null],
  ])
  expect(told).toEqual([
    [1, 'a'],
    [2, 'b'],
    [4, null],
  ])
  const read = borrowing.get(NAME, { timeoutMs: 1_000 })
  await next('lend_get').answer([READ, null])
  expect(await read).toMatchObject({ read: { entry: { version: 7 }, line: 'S', hit: true } })
  expect((await read).lent()).toBeNull()
})

test('a node that has forgotten it: everything is called back, and it begins anew under another name', async () => {
  const { clock, borrowing, next, told } = await bed()
  borrowing.resume()
  const before = borrowing.get(NAME, { timeoutMs: 1_000 })
  await next('lend_get').answer([READ, [0, 900, null]])
  await next('lend_wait').refuse('NOT_FOUND')
  expect([told, (await before).lent()]).toEqual([[[0, null]], null])
  expect(await borrowing.beat(0, 1_000)).toBe(0)
  await next('lend_open').refuse('QUOTA')
  clock.jump(100)
  await clock.settle()
  const again = next('lend_open')
  expect(again.call).toEqual(['lend_open', 'b3'])
  await again.answer(null)
  expect(next('lend_wait').call).toEqual(['lend_wait', 'b3', 0, 5_000])
  const beat = borrowing.beat(0, 1_000)
  await next('lend_beat').answer(1_000)
  expect(await beat).toBe(1_000)
  // A beat finds out, too.
  const late = borrowing.beat(0, 1_000)
  await next('lend_beat').refuse('NOT_FOUND')
  expect([await late, told]).toEqual([
    0,
    [
      [0, null],
      [0, null],
    ],
  ])
})

test('a node that does not answer is asked again; who pauses is not told', async () => {
  const { clock, asked, borrowing, next } = await bed()
  borrowing.resume()
  await next('lend_wait').refuse('NO_QUORUM')
  expect(asked).toEqual([])
  clock.jump(100)
  await clock.settle()
  borrowing.pause()
  await next('lend_wait').answer([[1, 'k']])
  expect(asked).toEqual([])
  borrowing.resume()
  expect(next('lend_wait').call).toEqual(['lend_wait', 'b1', 1, 5_000])
})

test('who ends says whether it reads on; nothing is told any more', async () => {
  const { asked, borrowing, next, told } = await bed()
  borrowing.resume()
  const waiting = next('lend_wait')
  borrowing.end(false)
  expect(next('lend_leave').call).toEqual(['lend_leave', 'b1', false])
  await waiting.answer([[1, 'k']])
  expect([asked, told]).toEqual([[], []])
})
