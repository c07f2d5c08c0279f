/** The digest after any list of changes is the digest of what is there, in any order. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RecordDigest, hash32 } from './digest.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

describe('RecordDigest', () => {
  it('equals the digest of the remaining records', () => {
    const change = fc.tuple(fc.integer({ min: 0, max: 400 }), fc.option(fc.integer({ min: 0, max: 5 })))
    fc.assert(
      fc.property(fc.array(change, { maxLength: 1500 }), (changes) => {
        const kept = new RecordDigest()
        const model = new Map<number, number>()
        for (const [key, value] of changes) {
          kept.change(bytes(`k${key}`), value === null ? null : bytes(`v${value}`))
          if (value === null) model.delete(key)
          else model.set(key, value)
        }
        const again = new RecordDigest()
        for (const [key, value] of [...model].reverse()) again.change(bytes(`k${key}`), bytes(`v${value}`))
        expect([kept.count, kept.sum]).toEqual([again.count, again.sum])
        expect(kept.count).toBe(model.size)
      }),
      { numRuns: 50 },
    )
  })

  it('tells a lost, an old and a swapped record', () => {
    const of = (...records: [string, string][]) => {
      const digest = new RecordDigest()
      for (const [key, value] of records) digest.change(bytes(key), bytes(value))
      return `${digest.count}:${digest.sum}`
    }
    const whole = of(['a', '1'], ['b', '2'])
    expect(new Set([whole, of(['a', '1']), of(['a', '1'], ['b', '1']), of(['a', '2'], ['b', '1'])]).size).toBe(4)
  })

  it('tells tails and lengths apart', () => {
    expect(new Set(['', '\0', '\0\0', '\0\0\0\0', 'abc', 'abcd', 'abcde'].map((text) => hash32(bytes(text), 1))).size).toBe(7)
  })
})
