/** Conditions of requests: what is taken, and that everything else is refused with a hint instead of being ignored. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TricordError } from '../base/errors.ts'
import { conditionOf, etagOf, knownVersions } from './etags.ts'

describe('of a write', () => {
  test.each([
    [undefined, undefined, null],
    ['"17"', undefined, 17],
    [' "17" ', undefined, 17],
    ['"17",', undefined, 17],
    ['"9007199254740991"', undefined, 9_007_199_254_740_991],
    ['*', undefined, 'present'],
    [undefined, '*', 'absent'],
    [undefined, ' * ', 'absent'],
  ])('If-Match %s, If-None-Match %s: %s', (ifMatch, ifNoneMatch, condition) => {
    expect(conditionOf(ifMatch, ifNoneMatch)).toBe(condition)
  })

  test.each([
    ['without quotes', '17', undefined, 'quotes belong to it: "17"'],
    ['weak', 'W/"17"', undefined, 'send "17"'],
    ['several', '"17", "18"', undefined, 'one version'],
    ['not of this server', '"abc"', undefined, 'as "17"'],
    ['version 0', '"0"', undefined, 'as "17"'],
    ['with a zero before it', '"017"', undefined, 'as "17"'],
    ['beyond 2^53', '"9007199254740993"', undefined, 'as "17"'],
    ['an open quote', '"17', undefined, 'in quotes'],
    ['quotes of another kind', "'17'", undefined, 'in quotes'],
    ['empty', '', undefined, 'in quotes'],
    ['a comma', ',', undefined, 'in quotes'],
    ['a star among others', '*, "17"', undefined, 'in quotes'],
    ['words behind it', '"17" or so', undefined, 'in quotes'],
    ['too long', `"17"${', '.repeat(3_000)}`, undefined, 'in quotes'],
    ['both', '"17"', '*', 'one of'],
    ['a version that it must not have', undefined, '"17"', 'only *'],
  ])('refused: %s', (_what, ifMatch, ifNoneMatch, hint) => {
    expect(() => conditionOf(ifMatch, ifNoneMatch)).toThrow(hint)
  })
})

describe('of a read', () => {
  test.each([
    [undefined, false],
    ['"17"', true],
    ['W/"17"', true],
    ['"16", "17"', true],
    ['"16" ,W/"17",,"18"', true],
    ['*', true],
    ['"18"', false],
    ['"017"', false],
    ['"abc"', false],
    ['""', false],
  ])('If-None-Match %s knows version 17: %s', (header, isKnown) => {
    expect(knownVersions(header)(17)).toBe(isKnown)
  })

  test.each([['17'], ['"17'], ['W/17'], ['w/"17"'], ['']])('refused: %s', (header) => {
    expect(() => knownVersions(header)).toThrow(TricordError)
  })
})

test('what an answer says is what a request may say', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), fc.array(fc.nat()), (version, others) => {
      expect(conditionOf(etagOf(version), undefined)).toBe(version)
      expect(knownVersions([...others.map(etagOf), etagOf(version)].join(', '))(version)).toBe(true)
    }),
  )
})

test('whatever comes is read, or refused as the caller’s', () => {
  const header = fc.oneof(
    fc.string(),
    fc.array(fc.constantFrom('"', '*', ',', ' ', 'W/', '"1"', '17', '\u00ff')).map((parts) => parts.join('')),
  )
  fc.assert(
    fc.property(header, fc.option(header, { nil: undefined }), (one, other) => {
      for (const read of [() => conditionOf(one, other), () => knownVersions(one)(1)]) {
        try {
          read()
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' })
        }
      }
    }),
    { numRuns: 500 },
  )
})
