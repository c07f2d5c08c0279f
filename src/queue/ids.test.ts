import { expect, test } from 'vitest'
import fc from 'fast-check'
import { messageId, parseMessageId } from './ids.ts'

const number = fc.oneof(
  fc.integer({ min: 1, max: 2000 }),
  fc.maxSafeInteger().map((n) => Math.abs(n) + 1),
)

test('an id says its queue and its place', () => {
  fc.assert(
    fc.property(number, number, (queue, seq) => {
      fc.pre(Number.isSafeInteger(queue) && Number.isSafeInteger(seq))
      expect(parseMessageId(messageId(queue, seq))).toEqual({ queue, seq })
    }),
  )
  expect(messageId(1, 36)).toBe('m_1_10')
})

test.each([
  '',
  'm_',
  'm_1',
  'm_1_',
  'm__1',
  'm_0_1',
  'm_01_1',
  'm_1_0',
  'm_1_01',
  'M_1_1',
  'm_1_A',
  'm_1_1_1',
  'm_1_zzzzzzzzzzz',
  'g_1_1',
  'm_1_ 1',
  'm_1_-1',
])('no id: %j', (text) => expect(parseMessageId(text)).toBe(null))
