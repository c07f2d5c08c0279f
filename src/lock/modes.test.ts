import { expect, test } from 'vitest'
import { MODES } from './types.ts'
import type { Mode } from './types.ts'
import { blockedBy, conflictsOf, covers, modeIndex, modeName, strongest } from './modes.ts'

/** As in the literature: IS IX S SIX U X. */
const TABLE = `
  intent-shared            | intent-shared intent-exclusive shared shared-intent-exclusive update
  intent-exclusive         | intent-shared intent-exclusive
  shared                   | intent-shared shared update
  shared-intent-exclusive  | intent-shared
  update                   | intent-shared shared
  exclusive                |`

test('the table is that of the literature, and symmetric', () => {
  for (const line of TABLE.trim().split('\n')) {
    const [mode = '', partners = ''] = line.split('|').map((part) => part.trim())
    const expected = MODES.filter((other) => !partners.split(' ').includes(other))
    expect(MODES.filter((_, index) => (conflictsOf(modeIndex(mode)) & (1 << index)) !== 0)).toEqual(expected)
  }
  MODES.forEach((_, a) => MODES.forEach((_, b) => expect((conflictsOf(a) >> b) & 1).toBe((conflictsOf(b) >> a) & 1)))
})

test('a mode covers what excludes no more than it does', () => {
  const covered = (held: Mode): Mode[] => MODES.filter((wanted) => covers(modeIndex(held), modeIndex(wanted)))
  expect(covered('intent-shared')).toEqual(['intent-shared'])
  expect(covered('intent-exclusive')).toEqual(['intent-shared', 'intent-exclusive'])
  expect(covered('shared')).toEqual(['intent-shared', 'shared'])
  expect(covered('update')).toEqual(['intent-shared', 'shared', 'update'])
  expect(covered('shared-intent-exclusive')).toEqual(['intent-shared', 'intent-exclusive', 'shared', 'shared-intent-exclusive', 'update'])
  expect(covered('exclusive')).toEqual([...MODES])
})

test('sets of modes', () => {
  expect(blockedBy(0)).toBe(0)
  expect(blockedBy(1 << modeIndex('exclusive'))).toBe(63)
  expect(modeName(strongest((1 << modeIndex('shared')) | (1 << modeIndex('update')) | 1))).toBe('update')
  expect(modeIndex('write')).toBe(-1)
})
