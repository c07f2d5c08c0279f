/** Binary building blocks: everything written is read back; a damaged input is told, never thrown. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteReader, ByteWriter } from './bytes.ts'
import { readPlain, writePlain } from './plain.ts'

const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true }),
    fc.integer(),
    fc.string(),
    fc.uint8Array({ maxLength: 10 }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(
      fc.string({ minLength: 1 }).filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 4, noNullPrototype: true },
    ),
  ),
})).value

it('keeps a map entry called __proto__', () => {
  const out = new ByteWriter()
  writePlain(out, JSON.parse('{"__proto__":"kept","a":1}') as never)
  expect(JSON.stringify(readPlain(new ByteReader(out.take())))).toBe('{"__proto__":"kept","a":1}')
})

describe('bytes', () => {
  it('reads back varints over all safe integers', () => {
    fc.assert(
      fc.property(fc.array(fc.maxSafeNat()), (numbers) => {
        const out = new ByteWriter(1)
        for (const number of numbers) out.varint(number)
        const input = new ByteReader(out.take())
        expect(numbers.map(() => input.varint())).toEqual(numbers)
        expect([input.ok, input.left]).toEqual([true, 0])
      }),
    )
  })

  it('reads back texts, short and long, of ASCII and not', () => {
    const texts = fc.array(fc.oneof(fc.string(), fc.string({ unit: 'grapheme', maxLength: 40 }), fc.constant('\ufeffmarked')))
    fc.assert(
      fc.property(texts, (written) => {
        const out = new ByteWriter(1)
        for (const text of written) out.text(text)
        const input = new ByteReader(out.take())
        expect(written.map(() => input.text())).toEqual(written)
        expect([input.ok, input.left]).toEqual([true, 0])
      }),
    )
  })

  it('turns not ok past the end and gives zeros', () => {
    const input = new ByteReader(new Uint8Array([1, 2]))
    expect([input.u32(), input.u8(), input.text(), input.ok]).toEqual([0, 0, '', false])
  })
})

describe('plain', () => {
  it('reads back every value', () => {
    fc.assert(
      fc.property(plain, (value) => {
        const out = new ByteWriter()
        writePlain(out, value as never)
        const input = new ByteReader(out.take())
        expect(readPlain(input)).toEqual(value)
        expect([input.ok, input.left]).toEqual([true, 0])
      }),
    )
  })

  it('survives arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        readPlain(new ByteReader(bytes))
      }),
    )
  })
})
