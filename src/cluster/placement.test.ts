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
        expect(load).toBeLessThanOrEqual(Math.ceil((1.1 * groups * copies) / members.length))
      for (const load of loads(table, (p) => p.replicas.slice(0, 1)).values())
        expect(load).toBeLessThanOrEqual(Math.ceil((1.1 * groups) / members.length))
    }),
  )
})

test('meta: everybody has it, at most five vote', () => {
  const [meta] = place([7, 3, 1, 9, 4, 2], options, hash)
  expect(meta?.replicas).toEqual([1, 2, 3, 4, 7, 9])
  expect(meta && votersOf(meta)).toEqual([1, 2, 3, 4, 7])
})

const moves = (before: readonly Placement[], after: readonly Placement[]): number =>
  after
    .filter(({ group }) => group !== META_GROUP)
    .reduce((sum, { group, replicas }) => {
      const had = before.find((placement) => placement.group === group)?.replicas ?? []
      return sum + replicas.filter((member) => !had.includes(member)).length
    }, 0)

const leaderMoves = (before: readonly Placement[], after: readonly Placement[]): number =>
  after.filter(({ group, replicas }) => before.find((placement) => placement.group === group)?.replicas[0] !== replicas[0]).length

test('a member that joins takes its share, and nothing else moves', () => {
  for (let n = 3; n < 8; n++) {
    const members = Array.from({ length: n }, (_, i) => i + 1)
    const before = place(members, options, hash)
    const after = place([...members, n + 1], { ...options, current: before }, hash)
    const share = ((PARTITIONS + 1) * 3) / (n + 1)
    expect(moves(before, after)).toBe(loads(after, (p) => p.replicas).get(n + 1))
    expect(moves(before, after)).toBeGreaterThanOrEqual(Math.floor(share / 1.1))
    expect(moves(before, after)).toBeLessThanOrEqual(Math.ceil(share * 1.1))
  }
})

test('members come and go: always balanced, and what moves is near what has to', () => {
  const changes = fc.array(fc.record({ join: fc.boolean(), pick: fc.nat() }), { minLength: 1, maxLength: 12 })
  fc.assert(
    fc.property(changes, (list) => {
      let members = [1, 2, 3]
      let next = 4
      let table = place(members, options, hash)
      for (const { join, pick } of list) {
        const gone = join || members.length === 1 ? 0 : (members[pick % members.length] ?? 0)
        const lost = gone === 0 ? 0 : (loads(table, (p) => p.replicas).get(gone) ?? 0)
        const copiesBefore = Math.min(3, members.length)
        members = gone === 0 ? [...members, next++] : members.filter((member) => member !== gone)
        const after = place(members, { ...options, current: table }, hash)
        const copies = Math.min(3, members.length)
        const share = ((PARTITIONS + 1) * copies) / members.length
        for (const member of members) {
          const load = loads(after, (p) => p.replicas).get(member) ?? 0
          expect(load).toBeGreaterThanOrEqual(Math.floor(share / 1.1))
          expect(load).toBeLessThanOrEqual(Math.ceil(share * 1.1))
          expect(loads(after, (p) => p.replicas.slice(0, 1)).get(member) ?? 0).toBeLessThanOrEqual(
            Math.ceil((1.1 * (PARTITIONS + 1)) / members.length),
          )
        }
        const must = gone === 0 ? Math.max(share, (copies - copiesBefore) * (PARTITIONS + 1)) : lost
        expect(moves(table, after)).toBeLessThanOrEqual(Math.ceil(must * 1.25))
        if (gone === 0 && members.length > 3) expect(leaderMoves(table, after)).toBeLessThan((PARTITIONS + 1) / 2)
        table = after
      }
    }),
    { numRuns: 60 },
  )
})

test('a table that is good stays', () => {
  fc.assert(
    fc.property(memberLists, memberLists, (before, members) => {
      const current = place(before, options, hash)
      expect(place(before, { ...options, current }, hash)).toEqual(current)
      const table = place(members, { ...options, current }, hash)
      expect(place(members, { ...options, current: table }, hash)).toEqual(table)
    }),
  )
})

test('a {tag} places the name it stands in', () => {
  expect(placementKey('a{b}c')).toBe('b')
  expect(['a{}c', 'a{b', 'plain', '}{'].map(placementKey)).toEqual(['a{}c', 'a{b', 'plain', '}{'])
  expect(partitionOf('x/{t}', PARTITIONS, hash)).toBe(partitionOf('{t}/y', PARTITIONS, hash))
})
