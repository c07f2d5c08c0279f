import { describe, expect, test } from 'vitest'
import { QueueHistory } from './history-checker.ts'
import type { DeliveryRecord, EnqueueRecord, SettlingRecord } from './history-checker.ts'

/** Three messages of a group and one without, one after the other; the second is nacked once and has two deliveries. */
function good(): QueueHistory {
  const history = new QueueHistory()
  history.enqueues.push(enqueue('k1', 1, 0), enqueue('k2', 2, 10), enqueue('k3', 3, 20), enqueue('k4', 4, 20, { lane: 'priority 0' }))
  history.deliveries.push(delivery('k1', 1, 1, 100), delivery('k4', 4, 2, 100, { group: '' }))
  history.settlings.push(ack(1, 1, 120), ack(4, 2, 120))
  history.deliveries.push(delivery('k2', 2, 3, 130))
  history.settlings.push({ ...ack(2, 3, 150), type: 'nack' })
  history.deliveries.push(delivery('k2', 2, 4, 160, { attempt: 2 }))
  history.settlings.push(ack(2, 4, 190))
  history.deliveries.push(delivery('k3', 3, 5, 200))
  history.settlings.push(ack(3, 5, 250))
  return history
}

function enqueue(key: string, seq: number, sentAt: number, over: Partial<EnqueueRecord> = {}): EnqueueRecord {
  return { key, queue: 'q', lane: 'group g', sentAt, answeredAt: sentAt + 5, outcome: 'ok', id: `m_1_${seq.toString(36)}`, ...over }
}
function delivery(key: string, seq: number, token: number, askedAt: number, over: Partial<DeliveryRecord> = {}): DeliveryRecord {
  const id = `m_1_${seq.toString(36)}`
  return { key, queue: 'q', id, token, attempt: 1, group: 'g', visibilityMs: 1_000, askedAt, receivedAt: askedAt + 5, ...over }
}
function ack(seq: number, token: number, sentAt: number): SettlingRecord {
  return { type: 'ack', queue: 'q', id: `m_1_${seq.toString(36)}`, token, sentAt, outcome: 'ok' }
}
/** The kinds of violation, each once. */
function kinds(history: QueueHistory, left: readonly string[] = []): string[] {
  const found = history.report(left.map((id) => ({ queue: 'q', id }))).violations.map((line) => line.slice(0, line.indexOf(':')))
  return [...new Set(found)]
}

test('a history that can have been has no violation, and is counted', () => {
  expect(good().report([])).toEqual({
    violations: [],
    enqueued: 4,
    enqueuedUnknown: 0,
    deliveries: 5,
    redeliveries: 1,
    acknowledged: 4,
    acknowledgedUnknown: 0,
  })
})

describe('what may be', () => {
  test('an acknowledged message is left at the end', () => {
    const history = good()
    history.enqueues.push(enqueue('k5', 5, 300))
    expect(kinds(history, ['m_1_5'])).toEqual([])
  })
  test('an ack without an answer has worked, or not', () => {
    const history = good()
    history.settlings[0] = { ...ack(1, 1, 120), outcome: 'unknown' }
    expect(kinds(history)).toEqual([])
    history.deliveries.push(delivery('k1', 1, 6, 400, { attempt: 2 }))
    expect(kinds(history)).toEqual([])
  })
  test('an enqueue without an answer is delivered, or not', () => {
    const history = good()
    history.enqueues.push(enqueue('k5', 0, 300, { outcome: 'unknown', id: '', answeredAt: Infinity }))
    expect(kinds(history)).toEqual([])
    history.deliveries.push(delivery('k5', 9, 6, 400))
    expect(kinds(history)).toEqual([])
  })
  test('enqueues that were under way at the same time come in any order', () => {
    const history = good()
    history.enqueues.push(enqueue('k5', 6, 300, { answeredAt: 350 }), enqueue('k6', 5, 310))
    expect(kinds(history, ['m_1_5', 'm_1_6'])).toEqual([])
  })
  test('a lease that ran out is given to another, who is earlier than the first by its own clock', () => {
    const history = good()
    history.settlings.splice(1, 1)
    history.deliveries.push(delivery('k4', 4, 6, 1_100, { group: '', attempt: 2 }))
    history.settlings.push(ack(4, 6, 1_200))
    expect(kinds(history)).toEqual([])
  })
  test('deliveries that are under way at the same time are seen in any order', () => {
    const history = good()
    history.enqueues.push(enqueue('k5', 5, 300, { lane: 'priority 0' }), enqueue('k6', 6, 310, { lane: 'priority 0' }))
    history.deliveries.push(delivery('k6', 6, 7, 400, { group: '' }), delivery('k5', 5, 6, 401, { group: '', receivedAt: 500 }))
    expect(kinds(history, ['m_1_5', 'm_1_6'])).toEqual([])
  })
})

describe('what may be, of deliveries that are counted', () => {
  test('one that was given back and does not count is delivered as the same attempt', () => {
    const history = good()
    history.settlings[2] = { ...ack(2, 3, 150), type: 'nack', counts: false }
    history.deliveries[3] = delivery('k2', 2, 4, 160, { attempt: 1 })
    expect(kinds(history)).toEqual([])
  })
  test('one that nobody saw was given back, and others went before', () => {
    const history = good()
    history.enqueues.push(enqueue('k5', 5, 300, { lane: 'priority 0' }), enqueue('k6', 6, 310, { lane: 'priority 0' }))
    history.deliveries.push(delivery('k6', 6, 7, 400, { group: '' }), delivery('k5', 5, 8, 420, { group: '' }))
    expect(kinds(history, ['m_1_5', 'm_1_6'])).toEqual(['overtaken'])
    history.settlings.push({ ...ack(5, 6, 410), type: 'nack', counts: false, outcome: 'unknown' })
    expect(kinds(history, ['m_1_5', 'm_1_6'])).toEqual([])
    // But it is no reason for what was seen.
    history.deliveries.push(delivery('k5', 5, 9, 2_000, { group: '' }))
    expect(kinds(history, ['m_1_5', 'm_1_6'])).toEqual(['unfounded'])
  })
  test('attempts that nobody saw', () => {
    const history = good()
    history.deliveries[3] = delivery('k2', 2, 4, 160, { attempt: 4 })
    expect(kinds(history)).toEqual([])
  })
  test('a redrive counts anew', () => {
    const history = good()
    history.deliveries[3] = delivery('k2', 2, 4, 160, { attempt: 1 })
    expect(kinds(history)).toEqual(['unfounded'])
    history.redrives.push({ queue: 'q', sentAt: 155 })
    expect(kinds(history)).toEqual([])
  })
  test('a queue that was deleted and made again has tokens and numbers of its own', () => {
    const history = good()
    const anew = { id: 'm_2_1' }
    history.enqueues.push(enqueue('k5', 1, 300, anew))
    history.deliveries.push(delivery('k5', 1, 1, 400, anew))
    history.settlings.push({ ...ack(1, 1, 420), ...anew })
    expect(kinds(history)).toEqual([])
  })
})

describe('found', () => {
  test('false losses: of what was settled, and of what was live for sure', () => {
    const history = good()
    const loss = { queue: 'q', id: 'm_1_4', token: 2 }
    history.losses.push({ ...loss, toldAt: 5_000 })
    expect(kinds(history)).toEqual(['false loss'])
    history.settlings[1] = { ...ack(4, 2, 2_000), outcome: 'refused' }
    expect(kinds(history, ['m_1_4'])).toEqual([])
    history.losses[0] = { ...loss, toldAt: 1_000 }
    expect(kinds(history, ['m_1_4'])).toEqual(['false loss'])
  })
  test('unfounded: delivered once more, and nothing had failed', () => {
    const history = good()
    history.deliveries[3] = delivery('k2', 2, 4, 160, { attempt: 1 })
    expect(kinds(history)).toEqual(['unfounded'])
    // A nack of another message, or one that was refused, is no reason.
    history.settlings.push({ ...ack(3, 3, 150), type: 'nack', counts: false })
    history.settlings.push({ ...ack(2, 3, 150), type: 'nack', counts: false, outcome: 'refused' })
    expect(kinds(history)).toEqual(['unfounded'])
  })
  test('lost', () => {
    const history = good()
    history.enqueues.push(enqueue('k5', 5, 300))
    expect(kinds(history)).toEqual(['lost'])
    // To have been delivered is not enough, nor is an ack that was refused.
    history.deliveries.push(delivery('k5', 5, 6, 400))
    history.settlings.push({ ...ack(5, 6, 420), outcome: 'refused' })
    expect(kinds(history)).toEqual(['lost'])
  })
  test('doubled', () => {
    const history = good()
    history.deliveries.push(delivery('k3', 9, 6, 400))
    expect(kinds(history)).toEqual(['doubled'])
    const unanswered = good()
    unanswered.enqueues.push(enqueue('k5', 0, 300, { outcome: 'unknown', id: '', answeredAt: Infinity }))
    unanswered.deliveries.push(delivery('k5', 8, 6, 400, { group: '' }), delivery('k5', 9, 7, 500, { group: '' }))
    expect(kinds(unanswered)).toEqual(['doubled'])
  })
  test('phantoms', () => {
    const history = good()
    history.deliveries.push(delivery('k5', 5, 6, 400))
    expect(kinds(history)).toEqual(['phantom'])
    history.enqueues.push(enqueue('k5', 5, 300, { outcome: 'refused', id: '' }))
    expect(kinds(history)).toEqual(['phantom'])
  })
  test('undead: delivered after its ack', () => {
    const history = good()
    history.deliveries.push(delivery('k1', 1, 6, 400, { attempt: 2 }))
    expect(kinds(history)).toEqual(['undead'])
  })
  test('undead: acknowledged with two tokens', () => {
    const history = good()
    history.settlings.push(ack(2, 3, 195))
    expect(kinds(history)).toEqual(['undead'])
  })
  test('undead: the ack was of an earlier delivery', () => {
    const history = good()
    history.settlings[3] = ack(2, 3, 190)
    expect(kinds(history)).toEqual(['undead', 'two leases'])
  })
  test('disorder', () => {
    const history = good()
    history.enqueues.push(enqueue('k5', 6, 300), enqueue('k6', 5, 310))
    expect(kinds(history, ['m_1_5', 'm_1_6'])).toEqual(['disorder'])
    // The same in different lanes is none.
    const other = good()
    other.enqueues.push(enqueue('k5', 6, 300), enqueue('k6', 5, 310, { lane: 'group h' }))
    expect(kinds(other, ['m_1_5', 'm_1_6'])).toEqual([])
  })
  test('overtaken', () => {
    const history = good()
    history.enqueues.push(enqueue('k5', 5, 300), enqueue('k6', 6, 310))
    history.deliveries.push(delivery('k6', 6, 6, 400))
    history.settlings.push(ack(6, 6, 410))
    history.deliveries.push(delivery('k5', 5, 7, 420))
    history.settlings.push(ack(5, 7, 430))
    expect(kinds(history)).toEqual(['overtaken'])
  })
  test('a token twice', () => {
    const history = good()
    history.enqueues.push(enqueue('k5', 5, 300, { lane: null }))
    history.deliveries.push(delivery('k5', 5, 5, 199, { group: '' }))
    expect(kinds(history, ['m_1_5'])).toEqual(['token'])
  })
  test('a token that does not rise', () => {
    const history = good()
    history.deliveries[1] = { ...delivery('k4', 4, 4.5, 100, { group: '' }) }
    history.settlings[1] = ack(4, 4.5, 120)
    expect(kinds(history)).toEqual(['token'])
  })
  test('two leases in one group', () => {
    const history = good()
    history.enqueues.push(enqueue('k5', 5, 300), enqueue('k6', 6, 310))
    history.deliveries.push(delivery('k5', 5, 6, 400), delivery('k6', 6, 7, 500))
    history.settlings.push(ack(5, 6, 510), ack(6, 7, 520))
    expect(kinds(history)).toEqual(['two leases'])
    // Without a group that is as it should be.
    const free = good()
    free.enqueues.push(enqueue('k5', 5, 300), enqueue('k6', 6, 310))
    free.deliveries.push(delivery('k5', 5, 6, 400, { group: '' }), delivery('k6', 6, 7, 500, { group: '' }))
    expect(kinds(free, ['m_1_5', 'm_1_6'])).toEqual([])
  })
  test('two leases of one message', () => {
    const history = good()
    history.settlings.splice(1, 1)
    history.deliveries.push(delivery('k4', 4, 6, 900, { group: '', attempt: 2 }))
    history.settlings.push(ack(4, 6, 1_200))
    expect(kinds(history)).toEqual(['two leases'])
  })
  test('two leases, since the first was extended', () => {
    const history = good()
    history.settlings.splice(1, 1)
    history.settlings.push({ ...ack(4, 2, 300), type: 'extend', visibilityMs: 2_000 })
    history.deliveries.push(delivery('k4', 4, 6, 1_500, { group: '', attempt: 2 }))
    history.settlings.push(ack(4, 6, 1_600))
    expect(kinds(history)).toEqual(['two leases'])
  })
})
