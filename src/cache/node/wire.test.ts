/** Messages of the coherence as they travel: what was said is what is heard, and what is none is not heard. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Plain } from '../../actors/envelope.ts'
import type { Held, ToHome } from '../coherence/protocol.ts'
import { type FromHome, PREFIXES_MAX, decodeMessage, encodeMessage } from './wire.ts'

const held = (tags: number): Held => ({
  version: 7,
  value: Uint8Array.of(1, 2),
  contentType: 'x/y',
  ttlLeftMs: 500,
  slidingMs: 0,
  tags: Array.from({ length: tags }, (_, nth) => [`t${nth}`, nth] as const),
})
const MESSAGES: readonly (ToHome | FromHome)[] = [
  { type: 'open', n: 3, first: 2 },
  { type: 'getM', term: 1, sid: 2, rid: 3, line: 'l' },
  { type: 'dataS', term: 1, sid: 2, rid: 3, line: 'l', g: 4, held: held(64) },
  { type: 'dataU', term: 1, sid: 2, rid: 3, line: 'l', held: { ...held(0), value: null, ttlLeftMs: null } },
  { type: 'dataX', term: 1, sid: 2, rid: 3, line: 'l', g: 4, held: held(1), own: 5, versionFirst: 6, versionMax: 7 },
  { type: 'recall', term: 1, t: 2, gx: 3, line: 'l' },
  { type: 'left', term: 1, n: 2 },
  { type: 'tellReads', prefixes: [] },
  { type: 'tellReads', prefixes: ['e7.1.defaulta', 'e7.1.defaultb'] },
]

test('messages survive the way', () => {
  for (const message of MESSAGES) expect(decodeMessage(encodeMessage(5, message))).toMatchObject({ partition: 5, message })
})

test('an entry of more tags than any has is none', () => {
  const message = { type: 'dataS', term: 1, sid: 2, rid: 3, line: 'l', g: 4, held: held(65) } as const
  expect(decodeMessage(encodeMessage(5, message))).toBeNull()
})

test('of more caches than are told of nothing is heard', () => {
  const of = (count: number) => encodeMessage(5, { type: 'tellReads', prefixes: Array.from({ length: count }, (_, nth) => `e${nth}`) })
  expect(decodeMessage(of(PREFIXES_MAX))).not.toBeNull()
  expect(decodeMessage(of(PREFIXES_MAX + 1))).toBeNull()
})

test('whatever else comes is no message, or one that can be said again', () => {
  const plain = fc.oneof(fc.constantFrom(null, -1, 1.5, '', 'open', 'dataS', 'inv'), fc.nat(), fc.array(fc.nat(9)))
  const any = fc.oneof(
    plain,
    fc.array(plain, { maxLength: 9 }),
    fc.tuple(fc.constantFrom(...MESSAGES), fc.nat(9), plain).map(([message, at, other]) => {
      const tuple = [...(encodeMessage(5, message) as readonly Plain[])]
      tuple[at % tuple.length] = other as Plain
      return tuple
    }),
  )
  fc.assert(
    fc.property(any, (payload) => {
      const decoded = decodeMessage(payload as Plain)
      if (decoded !== null) expect(decodeMessage(encodeMessage(decoded.partition, decoded.message))).toEqual(decoded)
    }),
    { numRuns: 2_000 },
  )
})
