/** What an owner answers on its own is what the machine would have answered. */
import { expect, test } from 'vitest'
import { NAME, SHARE } from '../../../test/cache/bed.ts'
import { writeLocally } from './local-write.ts'

test.each([
  ['41', 42],
  ['-9007199254740991', -9_007_199_254_740_990],
  ['9007199254740991', 'by'],
  ['-9007199254740993', 'key'],
  ['1.0', 'key'],
])('an increment of %s', (text, expected) => {
  const value = new TextEncoder().encode(text)
  const held = { version: 1, value, contentType: 'text/plain', ttlLeftMs: null, slidingMs: 0, tags: [] }
  const step = { ...NAME, key: 'n', by: 1, ttlMs: null, tags: [], share: SHARE, dead: 0, known: null, own: 7 }
  const { reply, next } = writeLocally(held, { type: 'cache_increment', ...step }, 2)
  if (typeof expected === 'number') expect(reply).toEqual({ type: 'incremented', version: 2, value: expected })
  else expect([reply, next]).toMatchObject([{ code: 'INVALID_ARGUMENT', details: { errors: [{ path: expected }] } }, null])
})
