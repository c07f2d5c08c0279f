import { expect, test } from 'vitest'
import { Bed } from '../../test/queue/bed.ts'
import { LOOKED_AT_MAX, SOUGHT_MAX } from './browse.ts'
import type { MessagePage, MessageState, NewMessage } from './types.ts'

const NAME = { namespace: 'default', queue: 'q' }
const BATCH = 250

function enqueue(bed: Bed, count: number, over: Partial<NewMessage>): void {
  const one = { body: Uint8Array.of(1), group: '', dedupId: '', delayMs: 0, priority: 0, ttlMs: 0, ...over }
  // What checks everything after every command would take as long as all else together.
  const { check } = bed.machine
  bed.machine.check = () => {}
  for (let left = count; left > 0; left -= BATCH) {
    bed.run({ type: 'queue_enqueue', ...NAME, messages: Array.from({ length: Math.min(left, BATCH) }, () => one) })
  }
  bed.machine.check = check
}

function page(bed: Bed, state: MessageState, cursor = ''): MessagePage {
  return bed.ask({ type: 'queue_browse', ...NAME, state, cursor, limit: 2 }) as MessagePage
}

function ids(messages: MessagePage['messages']): number[] {
  return messages.map(({ id }) => Number.parseInt(id.split('_')[2] as string, 36))
}

test('a page of what is ready ends early behind a great many messages that are not, and the next goes on from there', () => {
  const bed = new Bed()
  enqueue(bed, LOOKED_AT_MAX * 2, { delayMs: 1_000_000 })
  expect(page(bed, 'ready')).toEqual({ messages: [], cursor: null })
  enqueue(bed, 3, {})
  const first = page(bed, 'ready')
  expect(first.messages).toEqual([])
  expect(first.cursor).toBe(`m_1_${LOOKED_AT_MAX.toString(36)}`)
  expect(bed.browse(NAME, 'ready', 2)).toHaveLength(3)
})

test('few in a deep backlog are found at once, in their order', () => {
  const bed = new Bed()
  bed.run({ type: 'queue_put', ...NAME, config: { maxDeliveries: 1 } })
  enqueue(bed, LOOKED_AT_MAX + BATCH, {})
  for (let nth = 1; nth <= 5; nth++) enqueue(bed, 1, { priority: nth })
  const reply = bed.run({ type: 'queue_dequeue', ...NAME, max: 5, waitMs: 0, visibilityMs: null, consumer: '', watcher: '' })
  if (reply?.type !== 'delivered') throw new Error('nothing was delivered')
  for (const { id, token } of reply.messages) {
    bed.run({ type: 'queue_nack', ...NAME, items: [{ id, token, delayMs: null, reason: 'no', countAttempt: true }] })
  }
  const [base, first] = [LOOKED_AT_MAX + BATCH, page(bed, 'dead')]
  expect(ids(first.messages)).toEqual([base + 1, base + 2])
  expect(ids(page(bed, 'dead', first.cursor as string).messages)).toEqual([base + 3, base + 4])
  expect(ids(bed.browse(NAME, 'dead', 2) as MessagePage['messages'])).toEqual([1, 2, 3, 4, 5].map((nth) => base + nth))
  expect(bed.browse(NAME, 'leased', 2)).toEqual([])
})

test('few behind more notes than one pass takes are found page by page', () => {
  const bed = new Bed()
  enqueue(bed, SOUGHT_MAX, { delayMs: 1_000_000 })
  enqueue(bed, 1, {})
  bed.machine.check = () => {}
  bed.run({ type: 'queue_dequeue', ...NAME, max: 1, waitMs: 0, visibilityMs: null, consumer: '', watcher: '' })
  expect(page(bed, 'leased')).toEqual({ messages: [], cursor: `m_1_${LOOKED_AT_MAX.toString(36)}` })
  expect(ids(bed.browse(NAME, 'leased', 2) as MessagePage['messages'])).toEqual([SOUGHT_MAX + 1])
})
