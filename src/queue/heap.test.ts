import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Heap, type Heaped } from './heap.ts'

class Item implements Heaped {
  readonly at = [-1, -1]
  readonly order: number
  key: number

  constructor(order: number, key: number) {
    this.order = order
    this.key = key
  }

  keyOf(slot: number): number {
    return slot === 1 ? this.key : -this.key
  }
}

const step = fc.record({
  what: fc.constantFrom('add', 'add', 'remove', 'later', 'earlier', 'first'),
  pick: fc.nat(),
  key: fc.nat({ max: 50 }),
})

test('first is the least by key and order, however keys moved and whatever came and went', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
      const heap = new Heap<Item>(1)
      const items: Item[] = []
      for (const [order, { what, pick, key }] of steps.entries()) {
        const some = items[pick % Math.max(1, items.length)]
        if (what === 'add') {
          items.push(new Item(order, key))
          heap.add(items.at(-1) as Item)
        } else if (what === 'remove' && some !== undefined) {
          heap.remove(some)
          items.splice(items.indexOf(some), 1)
          expect(heap.has(some)).toBe(false)
        } else if (what === 'later' && some !== undefined) {
          some.key += key
        } else if (what === 'earlier' && some !== undefined) {
          some.key -= key
          heap.moved(some)
        } else if (what === 'first') {
          const least = [...items].sort((a, b) => a.key - b.key || a.order - b.order)[0] ?? null
          expect(heap.first()).toBe(least)
        }
        heap.check()
        expect(heap.size).toBe(items.length)
      }
    }),
  )
})

test('an item may be in several heaps', () => {
  const [a, b] = [new Item(1, 1), new Item(2, 2)]
  const heaps = [new Heap<Item>(0), new Heap<Item>(1)] as const
  for (const heap of heaps) for (const item of [a, b]) heap.add(item)
  expect([heaps[0].first(), heaps[1].first()]).toEqual([b, a])
  heaps[0].remove(b)
  expect([heaps[0].first(), heaps[1].has(b)]).toEqual([a, true])
})
