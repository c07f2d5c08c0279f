/** Bytes from anywhere: what is encoded comes back, what is not ours is refused, and nothing throws. */
import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { describe, expect, test } from 'vitest'
import { decodeEnvelope, encodeEnvelope, packPlain, unpackPlain } from './codec.ts'
import type { Envelope, Plain } from './envelope.ts'
import { KIND_DATA, decodeFrame, encodeFrame } from './frame.ts'

const plain: fc.Arbitrary<Plain> = fc.letrec<{ value: Plain }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
    fc.string(),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(
      fc.string({ maxLength: 5 }).filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 4, noNullPrototype: true },
    ),
  ),
})).value

const envelope: Envelope = {
  msgId: 7,
  msgType: 'say',
  senderId: 'n1/a',
  receiverId: 'n2/b',
  payload: [1, { x: 'y' }],
  timestamp: 1_795_000_000_000,
  inReplyTo: 0,
  timeoutMs: 250,
  traceparent: '',
}

describe('the codec', () => {
  test('gives back every plain payload', () => {
    fc.assert(
      fc.property(plain, (payload) => {
        expect(decodeEnvelope(encodeEnvelope({ ...envelope, payload }))).toEqual({ ...envelope, payload })
        expect(unpackPlain(packPlain(payload))).toEqual(payload)
      }),
    )
  })

  test('bytes stay bytes', () => {
    const back = unpackPlain(packPlain(new Uint8Array([1, 2, 255])))
    expect(back).toBeInstanceOf(Uint8Array)
    expect([...(back as Uint8Array)]).toEqual([1, 2, 255])
  })

  test('an integer is taken in whatever width it comes', () => {
    const wide = (head: number, value: bigint): Uint8Array => {
      const bytes = Buffer.alloc(9)
      bytes[0] = head
      bytes.writeBigUInt64BE(BigInt.asUintN(64, value), 1)
      return bytes
    }
    for (const value of [0, 7, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      for (const head of [0xcf, 0xd3]) expect(unpackPlain(wide(head, BigInt(value)))).toBe(value)
      expect(unpackPlain(wide(0xd3, -BigInt(value)))).toBe(value === 0 ? 0 : -value)
    }
    for (const value of [2n ** 53n + 1n, 2n ** 62n]) {
      for (const head of [0xcf, 0xd3]) expect(unpackPlain(wide(head, value))).toBeUndefined()
      expect(unpackPlain(wide(0xd3, -value))).toBeUndefined()
    }
  })

  test('what is undefined is absent, and in a list null', () => {
    const bytes = new Packr({ useRecords: false }).pack({ a: undefined, b: [1, undefined, { c: undefined }] })
    const back = unpackPlain(bytes)
    expect(back).toStrictEqual({ b: [1, null, {}] })
    expect(unpackPlain(new Packr().pack(undefined))).toBeUndefined()
  })

  test('refuses what is not plain: dates, errors, expressions, large integers, sets, deep nests', () => {
    const foreign = new Packr({ useRecords: false, moreTypes: true, mapsAsObjects: false })
    for (const value of [new Date(0), new Error('x'), /x/, 2n ** 60n, new Set([1])]) {
      expect(unpackPlain(foreign.pack([value])), String(value)).toBeUndefined()
    }
    const deep = Buffer.concat([Buffer.alloc(5_000, 0x91), Buffer.from([0xc0])])
    expect(unpackPlain(deep)).toBeUndefined()
    expect(unpackPlain(Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff]))).toBeUndefined()
  })

  test('refuses another version, a wrong shape, and any bytes whatever, without throwing', () => {
    const bytes = encodeEnvelope(envelope)
    expect(decodeEnvelope(Uint8Array.of(9, ...bytes.subarray(1)))).toBeNull()
    expect(decodeEnvelope(Uint8Array.of(1, ...packPlain(['a', 'b', 'c'])))).toBeNull()
    expect(decodeEnvelope(Uint8Array.of(1, ...packPlain([1, 2, 3, 4, 5, 6, 7, 8, 9])))).toBeNull()
    expect(decodeEnvelope(new Uint8Array())).toBeNull()
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (noise) => void decodeEnvelope(Uint8Array.of(1, ...noise))),
      { numRuns: 2_000 },
    )
  })
})

describe('frames', () => {
  const header = { kind: KIND_DATA, cluster: 5, from: 'n1', fromIncarnation: 2 ** 40, toIncarnation: 3, number: 7 } as const

  test('give back header and envelopes', () => {
    const parts = [Uint8Array.of(1, 2), new Uint8Array(), Uint8Array.of(3)]
    const back = decodeFrame(encodeFrame(header, parts))
    expect(back?.header).toEqual(header)
    expect(back?.envelopes.map((part) => [...part])).toEqual([[1, 2], [], [3]])
  })

  test('any flipped bit and any cut is seen', () => {
    const frame = encodeFrame(header, [Uint8Array.of(1, 2, 3), Uint8Array.of(4)])
    for (let bit = 0; bit < frame.length * 8; bit++) {
      const flipped = frame.slice()
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const back = decodeFrame(flipped)
      expect(back, `bit ${bit}`).toBeNull()
    }
    for (let length = 0; length < frame.length; length++) expect(decodeFrame(frame.subarray(0, length))).toBeNull()
  })

  test('noise is not a frame, and does not throw', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (noise) => decodeFrame(Uint8Array.of(1, 0, ...noise)) === null))
  })
})
