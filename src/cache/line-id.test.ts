import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { placementKey } from '../cluster/ring.ts'
import { type Line, configLine, entryLine, levelLine, parseLine, placeOf, tagLine } from './line-id.ts'

const text = fc.oneof(fc.string({ maxLength: 8 }), fc.constantFrom('', '1.', '.1.', 'e1', '7', 'a{b}c', '𝄞', '{', '}'))
const line: fc.Arbitrary<Line> = fc
  .record({ kind: fc.constantFrom('entry', 'tag', 'level', 'config' as const), namespace: text, cache: text, name: text })
  .map((made) => (made.kind === 'config' ? { ...made, name: '' } : made) as Line)

function lineOf({ kind, namespace, cache, name }: Line): string {
  if (kind === 'config') return configLine(namespace, cache)
  const line = { entry: entryLine, tag: tagLine, level: levelLine }[kind]
  return line(namespace, cache, name)
}

test('a line has one text, and gives it back', () => {
  fc.assert(
    fc.property(line, line, (a, b) => {
      expect(parseLine(lineOf(a))).toEqual(a)
      const isSame = a.kind === b.kind && a.namespace === b.namespace && a.cache === b.cache && a.name === b.name
      expect(lineOf(a) === lineOf(b)).toBe(isSame)
    }),
    { numRuns: 2_000 },
  )
})

test('whatever is taken for a line is the text of that line', () => {
  const near = fc.tuple(line, fc.nat(), fc.constantFrom('0', '1', '.', 'x', '')).map(([made, at, unit]) => {
    const whole = lineOf(made)
    return whole.slice(0, at % whole.length) + unit + whole.slice((at % whole.length) + 1)
  })
  fc.assert(
    fc.property(fc.oneof(near, fc.string({ unit: fc.constantFrom('e', 't', 'c', '0', '1', '.', '\ud834', '\udd1e') })), (input) => {
      const parsed = parseLine(input)
      if (parsed !== null) expect(lineOf(parsed)).toBe(input)
    }),
    { numRuns: 5_000 },
  )
})

test.each([
  '',
  'e',
  'x1.1.ab',
  'e01.1.ab',
  'e1.01.ab',
  'e.1.ab',
  'e00001.1.ab',
  'e1.1',
  'e1.1.a',
  'e9999.1.ab',
  'c1.1.abc',
  'e1.1.\ud834\udd1ea',
])('%j is no line', (input) => {
  expect(parseLine(input)).toBeNull()
})

test('an entry is placed by its key alone, other lines never by braces', () => {
  expect(placeOf(entryLine('default', 'users', 'user/{7}/name'))).toBe('user/{7}/name')
  expect(placementKey(placeOf(entryLine('other', 'orders', 'cart/{7}')))).toBe('7')
  fc.assert(
    fc.property(line, (made) => {
      const place = placeOf(lineOf(made))
      if (made.kind !== 'entry') expect(placementKey(place)).toBe(place)
    }),
  )
})
