import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Deadlines } from './deadlines.ts'

interface Item {
  deadline: number
  readonly order: number
  place: number
}

test('gives items by (deadline, order), whatever was moved and removed; nothing is left behind', () => {
  const op = fc.record({ kind: fc.constantFrom('add', 'add', 'move', 'remove', 'next'), at: fc.nat(), deadline: fc.nat({ max: 40 }) })
  fc.assert(
    fc.property(fc.array(op, { maxLength: 400, size: 'max' }), (ops) => {
      const heap = new Deadlines<Item>()
      const items: Item[] = []
      ops.forEach(({ kind, at, deadline }, order) => {
        const item = items[at % Math.max(1, items.length)]
        if (kind === 'add' || item === undefined) {
          const added = { deadline, order: (order * 7919) % 1009, place: -1 }
          items.push(added)
          heap.add(added)
        } else if (kind === 'move') {
          item.deadline = deadline
          heap.moved(item)
        } else if (kind === 'remove') {
          items.splice(items.indexOf(item), 1)
          heap.remove(item)
        } else {
          expect(heap.next()).toBeLessThanOrEqual(Math.min(...items.map((each) => each.deadline)))
        }
        expect(heap.size).toBe(items.length)
        heap.check()
      })
      items.sort((a, b) => a.deadline - b.deadline || a.order - b.order)
      for (const item of items) {
        expect(heap.first()).toBe(item)
        heap.remove(item)
      }
      expect(heap.first()).toBe(null)
      expect(heap.next()).toBe(Infinity)
    }),
  )
})

test('a renewal costs no place', () => {
  const heap = new Deadlines<Item>()
  const items = Array.from({ length: 100 }, (_, order) => ({ deadline: 10, order, place: -1 }))
  for (const item of items) heap.add(item)
  for (let round = 1; round <= 50; round++) {
    for (const item of items) {
      item.deadline = 10 + round
      heap.moved(item)
    }
  }
  expect(heap.size).toBe(100)
  expect(heap.first()?.deadline).toBe(60)
  expect(heap.next()).toBe(60)
})
