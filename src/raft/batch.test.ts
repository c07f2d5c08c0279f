/** The payload of entries: what goes in comes out, and no bytes throw. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeEntry, decodeParcel, eachBody, encodeEntry, encodeParcel } from './batch.ts'

const sequence = fc.integer({ min: 1, max: 2 ** 50 })
const command = fc.record({
  sequence,
  key: fc.option(fc.record({ key: fc.string({ maxLength: 40 }), fingerprint: fc.string({ maxLength: 20 }) })),
  traceparent: fc.constantFrom('', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'),
  cancels: fc.oneof(fc.constant(0), sequence),
  body: fc.uint8Array({ maxLength: 300 }),
})
const parcel = fc.record({
  client: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  low: sequence,
  acks: fc.array(sequence, { maxLength: 5 }),
  commands: fc.array(command, { maxLength: 8 }),
})
const time = fc.double({ min: 0, max: 1e12, noNaN: true }).map((value) => value + 0)

describe('batch', () => {
  it('gives back every parcel of an entry in order', () => {
    fc.assert(
      fc.property(time, fc.array(parcel, { maxLength: 5 }), (at, parcels) => {
        const payload = decodeEntry(encodeEntry(at, parcels.map(encodeParcel)))
        expect(payload.time).toBe(at)
        expect(JSON.stringify(payload.parcels)).toBe(JSON.stringify(parcels))
      }),
    )
  })

  it('shows the bodies of a parcel without the rest, but those of cancellations', () => {
    fc.assert(
      fc.property(parcel, (one) => {
        const bodies: Uint8Array[] = []
        eachBody(encodeParcel(one), (body) => bodies.push(body))
        expect(bodies).toEqual(one.commands.filter(({ cancels }) => cancels === 0).map(({ body }) => body))
      }),
    )
  })

  it('skips a parcel that does not parse and keeps its neighbours', () => {
    const good = {
      client: 7,
      low: 1,
      acks: [],
      commands: [{ sequence: 1, key: null, traceparent: '', cancels: 0, body: new Uint8Array([9]) }],
    }
    const bytes = encodeParcel(good)
    const payload = decodeEntry(encodeEntry(5, [bytes, bytes.subarray(0, bytes.length - 1), new Uint8Array([1, 2, 3]), bytes]))
    expect(payload.parcels.map((one) => one.client)).toEqual([7, 7])
  })

  it('never throws on arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        decodeEntry(bytes)
        decodeParcel(bytes)
        eachBody(bytes, () => {})
        decodeEntry(encodeEntry(1, [bytes]))
      }),
    )
  })
})
