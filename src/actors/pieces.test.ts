/** Envelopes in pieces: what comes out went in, what is kept has an end, and no bytes do harm. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ENVELOPE_BYTES_MAX, PIECES_MAX, PIECE_HEAD_BYTES, Pieces, cut } from './pieces.ts'

const MIB = 1024 * 1024
const ignore = (): void => {}

describe('cut', () => {
  test('gives pieces of the asked size, and none where they would be too many or the envelope too large', () => {
    expect(cut(new Uint8Array(10), 4, 1)?.map(({ bytes }) => bytes.length)).toEqual([4, 4, 2])
    expect(cut(new Uint8Array(PIECES_MAX), 1, 1)?.length).toBe(PIECES_MAX)
    expect(cut(new Uint8Array(PIECES_MAX + 1), 1, 1)).toBeNull()
    expect(cut(new Uint8Array(ENVELOPE_BYTES_MAX + 1), MIB, 1)).toBeNull()
    for (const bytesMax of [0, -5]) expect(cut(new Uint8Array(10), bytesMax, 1)).toBeNull()
  })

  test('what is cut is put together again, byte for byte, however the pieces of several come', () => {
    const envelopes = fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(envelopes, fc.integer({ min: 1, max: 50 }), fc.infiniteStream(fc.nat()), (originals, bytesMax, dice) => {
        const left = originals.flatMap((original, id) => cut(original, bytesMax, id)!)
        const pieces = new Pieces()
        const whole: Uint8Array[] = []
        while (left.length > 0) {
          const [piece] = left.splice(Number(dice.next().value) % left.length, 1)
          const taken = pieces.take(piece!.head, piece!.bytes, () => expect.unreachable())
          if (taken instanceof Uint8Array) whole.push(taken)
        }
        const texts = (list: readonly Uint8Array[]): string[] => list.map((one) => Buffer.from(one).toString('hex')).sort()
        expect(texts(whole)).toEqual(texts(originals))
        expect(pieces.keptBytes).toBe(0)
      }),
    )
  })
})

describe('what is not whole', () => {
  test('is forgotten where it takes too much room, the oldest first', () => {
    const pieces = new Pieces()
    let lost = 0
    const parts = Array.from({ length: 40 }, (_, id) => cut(new Uint8Array(MIB).fill(id), MIB / 2, id)!)
    for (const [first] of parts) pieces.take(first!.head, first!.bytes, () => lost++)
    expect(pieces.keptBytes).toBeLessThanOrEqual(16 * MIB)
    expect(lost).toBeGreaterThanOrEqual(8)
    const ends = parts.slice(lost).map(([, last]) => pieces.take(last!.head, last!.bytes, ignore))
    expect(ends.map((end) => end?.[0])).toEqual(Array.from({ length: 40 - lost }, (_, i) => i + lost))
  })

  test('costs its share however small: a flood of crumbs stays within the bound', () => {
    const pieces = new Pieces()
    for (let id = 0; id < 130_000; id++) {
      const [first] = cut(new Uint8Array(2), 1, id)!
      pieces.take(first!.head, first!.bytes, ignore)
    }
    expect(pieces.keptBytes).toBeLessThanOrEqual(16 * MIB)
    expect(pieces.keptBytes).toBeGreaterThan(15 * MIB)
  })
})

test('no pieces do harm: whatever contradicts itself gives nothing, and the count of what is kept stays right', () => {
  const piece = fc.record({
    id: fc.oneof(fc.integer({ min: 0, max: 2 }), fc.double()),
    whole: fc.oneof(fc.integer({ min: 0, max: 12 }), fc.nat(0xffffffff)),
    offset: fc.oneof(fc.integer({ min: 0, max: 12 }), fc.nat(0xffffffff)),
    bytes: fc.uint8Array({ maxLength: 12 }),
    headBytes: fc.oneof({ weight: 9, arbitrary: fc.constant(PIECE_HEAD_BYTES) }, { weight: 1, arbitrary: fc.nat(30) }),
  })
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (said) => {
      const pieces = new Pieces()
      for (const { id, whole, offset, bytes, headBytes } of said) {
        const head = new Uint8Array(Math.max(headBytes, PIECE_HEAD_BYTES))
        const view = new DataView(head.buffer)
        view.setFloat64(0, id, true)
        view.setUint32(8, whole, true)
        view.setUint32(12, offset, true)
        const taken = pieces.take(head.subarray(0, headBytes), bytes, ignore)
        if (taken) expect(taken.length).toBe(whole)
        expect(pieces.keptBytes).toBeGreaterThanOrEqual(0)
        expect(pieces.keptBytes).toBeLessThanOrEqual(60 * 140)
      }
    }),
    { numRuns: 500 },
  )
})
