import fc from 'fast-check'
import { expect, test } from 'vitest'
import { loadHash } from '../io/hash.ts'
import { META_GROUP } from '../base/ids.ts'
import { place, votersOf } from './placement.ts'
import { partitionOf, placementKey } from './ring.ts'
import type { Placement } from './types.ts'

const hash = await loadHash()
const PARTITIONS = 64
const options = { partitions: PARTITIONS, replicas: 3, lifeOf: () => 0 }
const memberLists = fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 9 })

function loads(table: readonly Placement[], of: (placement: Placement) => readonly number[]): Map<number, number> {
  const counts = new Map<number, number>()
  for (const placement of table) if (placement.group !== META_GROUP) for (const m of of(placement)) counts.set(m, (counts.get(m) ?? 0) + 1)
  return counts
}

test('xxHash32 has its published values', () => {
  expect(hash('')).toBe(0x02cc5d05)
  expect(hash('abc')).toBe(0x32d153ff)
})

test('distinct replicas, bounded load for replicas and leaders, independent of the order of the members', () => {
  fc.assert(
    fc.property(memberLists, (members) => {
      const table = place(members, options, hash)
      expect(place([...members].reverse(), options, hash)).toEqual(table)
      expect(table).toHaveLength(PARTITIONS + 2)
      const copies = Math.min(3, members.length)
      const groups = PARTITIONS + 1
      for (const placement of table) {
        expect(new Set(placement.replicas).size).toBe(placement.replicas.length)
        if (placement.group !== META_GROUP) expect(placement.replicas).toHaveLength(copies)
      }
      for (const load of loads(table, (p) => p.replicas).values())
        expect(load).toBeLessThanOrEqual(Math.ceil((1.1 * groups * copies) / members.length) + 1)
      for (const load of loads(table, (p) => p.replicas.slice(0, 1)).values())
        expect(load).toBeLessThanOrEqual(Math.ceil((1.1 * groups) / members.length) + 1)
    }),
  )
})

test('meta: everybody has it, at most five vote', () => {
  const [meta] = place([7, 3, 1, 9, 4, 2], options, hash)
  expect(meta?.replicas).toEqual([1, 2, 3, 4, 7, 9])
  expect(meta && votersOf(meta)).toEqual([1, 2, 3, 4, 7])
})

test('a member that joins takes its share, and little else moves', () => {
  for (let n = 3; n < 8; n++) {
    const members = Array.from({ length: n }, (_, i) => i + 1)
    const before = place(members, options, hash)
    const after = place([...members, n + 1], options, hash)
    let moved = 0
    for (const [at, placement] of after.entries()) {
      if (placement.group === META_GROUP) continue
      moved += placement.replicas.filter((member) => !before[at]?.replicas.includes(member)).length
    }
    const ideal = ((PARTITIONS + 1) * 3) / (n + 1)
    expect(moved).toBeGreaterThan(ideal * 0.6)
    expect(moved).toBeLessThan(ideal * 2)
  }
})

test('a {tag} places the name it stands in', () => {
  expect(placementKey('a{b}c')).toBe('b')
  expect(['a{}c', 'a{b', 'plain', '}{'].map(placementKey)).toEqual(['a{}c', 'a{b', 'plain', '}{'])
  expect(partitionOf('x/{t}', PARTITIONS, hash)).toBe(partitionOf('{t}/y', PARTITIONS, hash))
})
