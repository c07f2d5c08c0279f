/** The model of a key of a cache: what it must accept, and what it must refuse. */
import { describe, expect, test } from 'vitest'
import { withLosses } from './cache-losses.ts'
import { type CacheOperation, UNKNOWN, cacheModel } from './cache-model.ts'
import { type TimedOperation, checkLinearizable } from './linearizability.ts'

type Told = readonly [call: number, end: number, operation: CacheOperation]
type Put = Extract<CacheOperation, { kind: 'put' }>

const read = (version: number, value: number | null, at = 0): CacheOperation => ({ kind: 'read', version, value, at })
const put = (value: number, result: Put['result'], more: Partial<Put> = {}): CacheOperation => {
  const plain = { kind: 'put', tags: '', meanwhile: '', livesUntil: Infinity, condition: null, token: '', at: 0 } as const
  return { ...plain, value, result, ...more }
}
const written = (version: number, created: boolean) => ({ version, created })
const increment = (version: number, value: number): CacheOperation => {
  return { kind: 'increment', by: 1, tags: '', meanwhile: '', at: 0, result: { version, value } }
}
const remove = (version: number, existed: boolean): CacheOperation => {
  return { kind: 'delete', condition: null, meanwhile: '', at: 0, result: { version, existed } }
}
const drop = (tag: string, removed: number | null = null): CacheOperation => ({ kind: 'invalidate', tag, at: 0, removed })
const grant = (token: string, tags = ''): CacheOperation => ({ kind: 'grant', token, tags, at: 0 })

/** As a node may have done it alone. */
const by = (alone: string, operation: CacheOperation, losable = false): CacheOperation => ({ ...operation, alone, losable })
const loss = (owner: string, count: number): CacheOperation => ({ kind: 'loss', owner, count })

function isPossible(...told: readonly Told[]): boolean {
  const history = told.map(([call, end, operation]): TimedOperation<CacheOperation> => ({ call, return: end, operation }))
  return checkLinearizable(cacheModel, history) === 'linearizable'
}
/** One after the other. */
const inOrder = (...operations: readonly CacheOperation[]): boolean =>
  isPossible(...operations.map((operation, nth): Told => [2 * nth, 2 * nth + 1, operation]))

test('a value is what was written last, under a version that rises', () => {
  expect(inOrder(read(0, null), put(7, written(3, true)), read(3, 7), put(8, written(5, false)), read(5, 8))).toBe(true)
  expect(inOrder(put(7, written(3, true)), put(8, written(5, false)), read(3, 7))).toBe(false)
  expect(inOrder(put(7, written(3, true)), read(0, null))).toBe(false)
  expect(inOrder(put(7, written(3, true)), put(8, written(2, false)))).toBe(false)
  expect(inOrder(put(7, written(3, true)), remove(4, true), read(0, null), remove(0, false))).toBe(true)
  expect(inOrder(put(7, written(3, true)), drop('', 1), read(3, 7))).toBe(false)
})

test('a write of unknown outcome may have been or not, and not be undone', () => {
  const lost: Told = [0, Infinity, put(7, UNKNOWN)]
  expect(isPossible(lost, [1, 2, read(0, null)], [3, 4, read(2, 7)])).toBe(true)
  expect(isPossible(lost, [1, 2, read(0, null)])).toBe(true)
  expect(isPossible(lost, [1, 2, read(2, 7)], [3, 4, read(0, null)])).toBe(false)
})

test('conditions meet what is there', () => {
  expect(inOrder(put(7, written(1, true)), put(8, { mismatch: 1 }, { condition: 'absent' }))).toBe(true)
  expect(inOrder(put(7, written(1, true)), put(8, written(2, true), { condition: 'absent' }))).toBe(false)
  expect(inOrder(put(7, written(1, true)), put(8, { mismatch: 0 }, { condition: 5 }))).toBe(false)
})

test('increments add up', () => {
  expect(inOrder(increment(1, 1), increment(2, 2), read(2, 2))).toBe(true)
  expect(inOrder(increment(1, 1), increment(2, 1))).toBe(false)
})

test('a tag takes what carries it; what was written meanwhile may be dead', () => {
  const tagged = put(7, written(1, true), { tags: 'red' })
  expect(inOrder(tagged, drop('red'), read(0, null))).toBe(true)
  expect(inOrder(tagged, drop('red'), read(1, 7))).toBe(false)
  expect(inOrder(tagged, drop('blue'), read(0, null))).toBe(false)
  const doubtful = put(7, written(1, true), { tags: 'red', meanwhile: 'red' })
  expect(isPossible([0, 3, drop('red')], [1, 4, doubtful], [5, 6, read(0, null)])).toBe(true)
  expect(isPossible([0, 3, drop('red')], [1, 4, doubtful], [5, 6, read(0, null)], [7, 8, read(1, 7)])).toBe(false)
})

test('a value ends with its time, not before, and does not come back', () => {
  const brief = put(7, written(1, true), { livesUntil: 100 })
  expect(inOrder(brief, read(0, null, 100))).toBe(true)
  expect(inOrder(brief, read(0, null, 99))).toBe(false)
  expect(inOrder(brief, read(0, null, 100), read(1, 7, 101))).toBe(false)
})

test('a load is fenced by what came between', () => {
  const late = put(7, written(9, true), { token: 't' })
  expect(inOrder(grant('t'), late, read(9, 7))).toBe(true)
  expect(inOrder(grant('t'), drop('', 0), late)).toBe(false)
  expect(inOrder(grant('t', 'red'), drop('red'), late)).toBe(false)
  expect(inOrder(grant('t'), drop('', 0), put(7, { staleToken: true }, { token: 't' }))).toBe(true)
})

describe('writes of an owner', () => {
  const [first, second, third] = [put(7, written(1, true)), put(8, written(2, false)), put(9, written(3, false))]
  const wrote = [by('n1', first), by('n1', second, true), by('n1', third, true)]

  test('are lost with it: the newest, as many as it had, and no more', () => {
    expect(inOrder(...wrote, loss('n1', 2), by('n2', read(3, 9)))).toBe(true)
    expect(inOrder(...wrote, loss('n1', 2), by('n2', read(2, 8)))).toBe(true)
    expect(inOrder(...wrote, loss('n1', 2), by('n2', read(1, 7)))).toBe(true)
    expect(inOrder(...wrote, loss('n1', 1), by('n2', read(1, 7)))).toBe(false)
    expect(inOrder(...wrote, loss('n1', 3), by('n2', read(0, null)))).toBe(false)
    expect(inOrder(...wrote, by('n2', read(2, 8)))).toBe(false)
    expect(inOrder(...wrote, loss('n3', 2), by('n2', read(2, 8)))).toBe(false)
  })

  test('are lost once: what was seen elsewhere stays', () => {
    expect(inOrder(...wrote, by('n2', read(3, 9)), loss('n1', 2), by('n2', read(2, 8)))).toBe(false)
    expect(inOrder(...wrote, loss('n1', 2), by('n2', read(2, 8)), by('n2', read(3, 9)))).toBe(false)
    expect(inOrder(...wrote, loss('n1', 2), by('n2', read(2, 8)), loss('n1', 2), by('n2', read(1, 7)))).toBe(false)
  })

  test('are never lost in the middle', () => {
    const counted = [by('n1', increment(1, 1)), by('n1', increment(2, 2), true), by('n1', increment(3, 3), true)]
    expect(inOrder(...counted, loss('n1', 2), by('n2', increment(4, 4)))).toBe(true)
    expect(inOrder(...counted, loss('n1', 2), by('n2', increment(4, 2)))).toBe(true)
    expect(inOrder(by('n1', increment(1, 1), true), loss('n1', 1), by('n1', increment(2, 2), true), by('n2', read(2, 2)))).toBe(true)
    expect(inOrder(...counted, loss('n1', 1), by('n2', increment(4, 2)))).toBe(false)
  })

  test('leave their versions behind: those to come are above', () => {
    expect(inOrder(...wrote, loss('n1', 2), by('n2', put(5, written(2, false))))).toBe(false)
    expect(inOrder(...wrote, loss('n1', 2), by('n2', put(5, written(4, false))))).toBe(true)
  })

  test('are not lost by what is certain: a write through the log has all before it in it', () => {
    expect(inOrder(...wrote, put(5, written(4, false)), loss('n1', 2), by('n2', read(2, 8)))).toBe(false)
  })

  test('that a tag took do not come back', () => {
    const tagged = by('n1', put(7, written(1, true), { tags: 'red' }))
    expect(inOrder(tagged, by('n1', second, true), drop('red'), loss('n1', 1), by('n2', read(1, 7)))).toBe(false)
    expect(inOrder(tagged, by('n1', second, true), drop('red'), loss('n1', 1), by('n2', read(0, null)))).toBe(true)
  })
})

const timed = (call: number, operation: CacheOperation): TimedOperation<CacheOperation> => ({ call, return: call + 1, operation })

test('what may be lost with an owner is the end of what it acknowledged before', () => {
  const history = [
    timed(1, by('n1', put(7, written(1, true)))),
    timed(3, by('n1', put(8, written(2, false)))),
    timed(5, by('n1', read(2, 8))),
    timed(9, by('n1', put(9, written(3, false)))),
  ]
  const [one, two, , after, lost] = withLosses(history, [{ key: 'k', owner: 'n1', count: 1, at: 8 }])
  expect([one, two, after].map((each) => each?.operation.losable ?? false)).toEqual([false, true, false])
  expect(lost).toEqual({ call: 4.5, return: 8, operation: { kind: 'loss', owner: 'n1', count: 1 } })
})

test('a loss may be long past when its node gives up the last that it was asked', () => {
  const history = [
    timed(1, by('n1', put(7, written(1, true)))),
    timed(3, by('n1', put(8, written(2, false)))),
    { call: 5, return: 20, operation: by('n1', put(9, UNKNOWN, { condition: 1 })) },
    timed(7, by('n2', read(1, 7))),
  ]
  expect(checkLinearizable(cacheModel, withLosses(history, [{ key: 'k', owner: 'n1', count: 1, at: 21 }]))).toBe('linearizable')
  expect(checkLinearizable(cacheModel, history)).not.toBe('linearizable')
})
