/** Every text of a frame is looked at, wherever it stands and whatever stands beside it; nothing else is. */
import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { expect, test } from 'vitest'
import { FrameTexts } from './frame-texts.ts'

const packr = new Packr({ useRecords: false, mapsAsObjects: true })
const MARK = 'MARK'

const value: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, undefined, true, false, 2 ** 40, -(2 ** 40), 2n ** 60n, -(2n ** 60n)),
    fc.integer(),
    fc.double(),
    fc.string({ unit: 'grapheme', maxLength: 40 }),
    fc.constantFrom(300, 70_000).map((length) => 'ä'.repeat(length)),
    fc.uint8Array({ maxLength: 40 }),
    fc.constantFrom(300, 70_000).map((length) => new Uint8Array(length).fill(0xff)),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 5 }), tie('value'), { maxKeys: 20, noNullPrototype: true }),
  ),
})).value

test('what is UTF-8 is sound, item by item; one byte of one text of one item, and that one is not', () => {
  fc.assert(
    fc.property(fc.array(value, { maxLength: 4 }), value, fc.array(value, { maxLength: 4 }), fc.boolean(), (before, one, after, isKey) => {
      const marked = [[one, isKey ? { a: one, [MARK]: 1 } : MARK], one]
      const items = [...before, marked, ...after]
      const bytes = packr.pack(items).slice()
      const soundness = (): boolean[] => {
        const texts = new FrameTexts(bytes)
        texts.enter()
        return items.map(() => texts.next())
      }
      expect(soundness()).not.toContain(false)
      expect(new FrameTexts(bytes).next()).toBe(true)
      const at = bytes.lastIndexOf(MARK)
      bytes[at + 3] = 0xff
      expect(soundness()).toEqual(items.map((item) => item !== marked))
      expect(new FrameTexts(bytes).next()).toBe(false)
    }),
    { numRuns: 500 },
  )
})

test.each([
  ['cut short', [0xa2, 0x6b, 0xc3]],
  ['overlong', [0xa2, 0xc1, 0xa1]],
  ['half of a surrogate pair', [0xa3, 0xed, 0xa0, 0x80]],
  ['of 8 bits of length', [0xd9, 1, 0xff]],
  ['of 16', [0xda, 0, 1, 0xff]],
  ['of 32', [0xdb, 0, 0, 0, 1, 0xff]],
  ['a long one', [0xd9, 40, ...Array<number>(39).fill(0x6b), 0xff]],
  ['within an extension', [0xc7, 3, 0x62, 0xa1, 0x6b, 0xa1]],
  ['within one of fixed size', [0xd5, 0x62, 0xa1, 0xff]],
])('none of them: %s', (_, bytes) => {
  const texts = new FrameTexts(Uint8Array.of(0x92, ...bytes, 0xa1, 0x6b))
  texts.enter()
  expect([texts.next(), texts.next()]).toEqual([false, true])
})
