/** Each violation is found, and nothing is found where all is well. */
import { describe, expect, test } from 'vitest'
import { QueueHistory } from './queue-history.ts'

function history(group = 'g'): QueueHistory {
  const seen = new QueueHistory()
  for (const order of [1, 2]) seen.enqueued({ label: `m${order}`, producer: 'p', group, order, id: `id${order}` })
  return seen
}
const delivery = (of: number, token: number, attempt = 1, receivedAt = token) => ({
  label: `m${of}`,
  id: `id${of}`,
  token,
  attempt,
  receivedAt,
})
const ack = (of: number, token: number, askedAt = token) => ({ id: `id${of}`, token, askedAt })
const verdict = (seen: QueueHistory) => seen.check({ drained: true }).violations.join('; ')

function fine(group?: string): QueueHistory {
  const seen = history(group)
  seen.delivered(delivery(1, 1))
  seen.delivered(delivery(1, 2, 2))
  seen.acknowledged(ack(1, 2))
  seen.delivered(delivery(2, 3))
  seen.acknowledged(ack(2, 3))
  return seen
}

describe('a history of a queue', () => {
  test('that is as it should be', () => {
    expect(fine().check({ drained: true })).toEqual({ violations: [], enqueued: 2, deliveries: 3, redelivered: 1 })
  })

  test('a message that nobody knows to be there may be missing', () => {
    const seen = fine()
    seen.enqueued({ label: 'm3', producer: 'p', group: 'g', order: 3, id: null })
    expect(verdict(seen)).toBe('')
  })

  test('a message is lost', () => {
    const seen = history()
    seen.delivered(delivery(1, 1))
    seen.acknowledged(ack(1, 1))
    expect(verdict(seen)).toContain('m2 (id2) was enqueued, and is lost')
    expect(seen.check({ drained: false }).violations).toEqual([])
  })

  test('a message is there twice', () => {
    const seen = fine()
    seen.delivered({ ...delivery(2, 4), id: 'other' })
    expect(verdict(seen)).toContain('m2 is there 2 times')
  })

  test('a message comes back after its ack', () => {
    const seen = fine()
    seen.delivered(delivery(2, 9, 2))
    expect(verdict(seen)).toContain('m2 was acknowledged with 3, and delivered with 9')
  })

  test('a group is out of order', () => {
    const seen = history()
    seen.delivered(delivery(2, 1))
    seen.acknowledged(ack(2, 1))
    seen.delivered(delivery(1, 2))
    seen.acknowledged(ack(1, 2))
    expect(verdict(seen)).toContain('m1 and m2: delivered out of order')
  })

  test('two of a group are leased at a time; without a group they may be', () => {
    const overlap = (group: string): string => {
      const seen = history(group)
      seen.delivered(delivery(1, 1))
      seen.delivered(delivery(2, 2))
      seen.acknowledged(ack(1, 1, 5))
      seen.acknowledged(ack(2, 2, 6))
      return verdict(seen)
    }
    expect(overlap('g')).toContain('leased at the same time')
    expect(overlap('')).toBe('')
  })

  test('without a group a redelivery comes after later ones, first deliveries do not', () => {
    const seen = history('')
    for (const one of [delivery(1, 1), delivery(2, 2), delivery(1, 3, 2)]) seen.delivered(one)
    seen.acknowledged(ack(1, 3))
    seen.acknowledged(ack(2, 2))
    expect(verdict(seen)).toBe('')
    const other = history('')
    for (const one of [delivery(2, 1), delivery(1, 2)]) other.delivered(one)
    expect(verdict(other)).toContain('delivered out of order')
  })

  test('a token is given twice, or attempts go back', () => {
    const twice = fine()
    twice.delivered({ ...delivery(1, 3), attempt: 3 })
    expect(verdict(twice)).toContain('token 3 is of')
    const back = history()
    back.delivered(delivery(1, 1, 2))
    back.delivered(delivery(1, 2, 1))
    expect(verdict(back)).toContain('attempt 2 came before attempt 1')
  })

  test('what was never sent is delivered, what was never delivered is acknowledged', () => {
    const seen = fine()
    seen.delivered({ ...delivery(7, 7) })
    seen.acknowledged(ack(8, 8))
    expect(verdict(seen)).toContain('m7 was never sent')
    expect(verdict(seen)).toContain('id8 was acknowledged, and never delivered')
  })
})
