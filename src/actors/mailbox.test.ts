/** The ring against an array. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Envelope } from './envelope.ts'
import { Mailbox } from './mailbox.ts'

const numbered = (msgId: number): Envelope => ({
  msgId,
  msgType: 'x',
  senderId: 'n1/a',
  receiverId: 'n1/b',
  payload: null,
  timestamp: 0,
  inReplyTo: 0,
  timeoutMs: 0,
  traceparent: '',
})

test('first in, first out, up to its limit and never more', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 70 }), fc.array(fc.boolean(), { maxLength: 400 }), (max, steps) => {
      const mailbox = new Mailbox(max)
      const model: number[] = []
      for (const [at, push] of steps.entries()) {
        if (push) {
          expect(mailbox.push(numbered(at))).toBe(model.length < max)
          if (model.length < max) model.push(at)
        } else expect(mailbox.shift()?.msgId).toBe(model.shift())
        expect(mailbox.length).toBe(model.length)
      }
    }),
  )
})
