/** The header of a stored state. */
import { expect, test } from 'vitest'
import { ByteWriter } from '../bytes.ts'
import { decodeHeader, encodeHeader, encodeMembership } from './keys.ts'

const membership = { voters: [1_024, 2_048], outgoing: [], learners: [3_072], learnersNext: [] }
const header = { index: 70_000, term: 3, time: 12.5, ordinal: 9, membership, count: 4, sum: 2 ** 32 - 1, cold: { count: 300, sum: 7 } }

test('a header comes back as it was; what is none is none', () => {
  const bytes = encodeHeader(header)
  expect(decodeHeader(bytes)).toEqual(header)
  expect(decodeHeader(bytes.subarray(0, bytes.length - 1))).toBeNull()
  expect(decodeHeader(Uint8Array.of(9, ...bytes.subarray(1)))).toBeNull()
})

test('a header from before there were cold records has none', () => {
  const out = new ByteWriter()
  out.u8(1)
  out.varint(header.index)
  out.varint(header.term)
  out.f64(header.time)
  out.varint(header.ordinal)
  out.varint(header.count)
  out.u32(header.sum)
  out.bytes(encodeMembership(membership))
  expect(decodeHeader(out.take())).toEqual({ ...header, cold: { count: 0, sum: 0 } })
})
