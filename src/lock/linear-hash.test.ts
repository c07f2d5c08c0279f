import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { LinearHash } from './linear-hash.ts'
import { hashString } from './string-hash.ts'

class Entry {
  next: Entry | null = null
  readonly hash: number
  constructor(hash: number) {
    this.hash = hash
  }
}

function has(table: LinearHash<Entry>, entry: Entry): boolean {
  for (let at = table.chain(entry.hash); at !== null; at = at.next) if (at === entry) return true
  return false
}

test('holds what a Set holds, also under colliding hashes', () => {
  const op = fc.record({ add: fc.boolean(), hash: fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 0x3fffffff })), at: fc.nat() })
  fc.assert(
    fc.property(fc.array(op, { maxLength: 300, size: 'max' }), (ops) => {
      const table = new LinearHash<Entry>()
      const set = new Set<Entry>()
      for (const { add, hash, at } of ops) {
        const entry = add || set.size === 0 ? new Entry(hash) : ([...set][at % set.size] as Entry)
        if (set.has(entry)) {
          table.remove(entry)
          set.delete(entry)
        } else {
          table.add(entry)
          set.add(entry)
        }
        expect(has(table, entry)).toBe(set.has(entry))
      }
      expect(new Set(table)).toEqual(set)
      expect(table.size).toBe(set.size)
    }),
  )
})

test('grows through several doublings and loses nothing; chains stay short', () => {
  const table = new LinearHash<Entry>()
  const entries = Array.from({ length: 20_000 }, (_, i) => new Entry(hashString(1, `orders/${i}`)))
  for (const entry of entries) table.add(entry)
  expect(entries.every((entry) => has(table, entry))).toBe(true)
  const longest = Math.max(...entries.map((entry) => chainLength(table.chain(entry.hash))))
  expect(longest).toBeLessThan(16)
  for (const entry of entries) table.remove(entry)
  expect([...table]).toEqual([])
})

function chainLength(head: Entry | null): number {
  let length = 0
  for (let at = head; at !== null; at = at.next) length += 1
  return length
}
