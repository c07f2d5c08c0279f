/**
 * A 4-ary heap over things that know their key. Keys live in typed arrays beside the items, so that sifting compares
 * without touching objects; an item may be in several heaps, in a slot of its own in each.
 *
 * A key that moves *later* is not sifted at once: the old one stays as a lower bound, and is corrected when it reaches the
 * top. So a lane that is served a thousand times in a row, or a lease that is extended, costs one correction.
 *
 * Invariants: (1) stored key <= item.keyOf(slot); (2) items[item.at[slot]] === item; (3) no parent is after its children.
 * What `first` gives depends on keys and orders alone, not on the history of the heap.
 */
import { assert } from '../base/assert.ts'

export interface Heaped {
  /** Its place in the heap of each slot, -1 outside; owned by the heaps. */
  readonly at: number[]
  /** Breaks ties; unique among the items of a heap, constant. */
  readonly order: number
  keyOf(slot: number): number
}

const CAPACITY_MIN = 4

export class Heap<T extends Heaped> {
  readonly #slot: number
  #items: T[] = []
  #keys = new Float64Array(CAPACITY_MIN)
  #orders = new Float64Array(CAPACITY_MIN)

  constructor(slot: number) {
    this.#slot = slot
  }

  get size(): number {
    return this.#items.length
  }

  has(item: T): boolean {
    const at = item.at[this.#slot] as number
    return at >= 0 && this.#items[at] === item
  }

  add(item: T): void {
    const at = this.#items.length
    if (at === this.#keys.length) this.#widen()
    this.#items.push(item)
    this.#up(item, item.keyOf(this.#slot), item.order, at)
  }

  remove(item: T): void {
    const at = item.at[this.#slot] as number
    assert(this.#items[at] === item, 'item is not in the heap')
    const end = this.#items.length - 1
    const last = this.#items.pop() as T
    item.at[this.#slot] = -1
    if (at === end) return
    const key = this.#keys[end] as number
    const order = this.#orders[end] as number
    if (at > 0 && this.#isBefore(key, order, (at - 1) >> 2)) this.#up(last, key, order, at)
    else this.#down(last, key, order, at)
  }

  /** To be called after an item's key may have moved earlier. */
  moved(item: T): void {
    const at = item.at[this.#slot] as number
    const key = item.keyOf(this.#slot)
    if (key < (this.#keys[at] as number)) this.#up(item, key, item.order, at)
  }

  /** The item with the least (key, order); null when there is none. */
  first(): T | null {
    const items = this.#items
    while (items.length > 0) {
      const top = items[0] as T
      const key = top.keyOf(this.#slot)
      if (key === this.#keys[0]) return top
      this.#down(top, key, top.order, 0)
    }
    return null
  }

  /** Takes everything out. */
  clear(): void {
    for (const item of this.#items) item.at[this.#slot] = -1
    this.#items = []
    this.#keys = new Float64Array(CAPACITY_MIN)
    this.#orders = new Float64Array(CAPACITY_MIN)
  }

  /** Every item, in no meaningful order. */
  [Symbol.iterator](): IterableIterator<T> {
    return this.#items[Symbol.iterator]()
  }

  /** Asserts the invariants. */
  check(): void {
    this.#items.forEach((item, at) => {
      const key = this.#keys[at] as number
      assert(item.at[this.#slot] === at, 'heap place is wrong')
      assert(key <= item.keyOf(this.#slot), 'heap key is after the true one')
      assert(at === 0 || !this.#isBefore(key, this.#orders[at] as number, (at - 1) >> 2), 'heap order is broken')
    })
  }

  #isBefore(key: number, order: number, at: number): boolean {
    const other = this.#keys[at] as number
    return key < other || (key === other && order < (this.#orders[at] as number))
  }

  #up(item: T, key: number, order: number, from: number): void {
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 2
      if (!this.#isBefore(key, order, parent)) break
      this.#move(parent, at)
      at = parent
    }
    this.#put(item, key, order, at)
  }

  #down(item: T, key: number, order: number, from: number): void {
    const size = this.#items.length
    let at = from
    for (;;) {
      const first = at * 4 + 1
      if (first >= size) break
      let least = first
      for (let child = first + 1; child < first + 4 && child < size; child++) {
        if (this.#isBefore(this.#keys[child] as number, this.#orders[child] as number, least)) least = child
      }
      if (this.#isBefore(key, order, least)) break
      this.#move(least, at)
      at = least
    }
    this.#put(item, key, order, at)
  }

  #move(from: number, to: number): void {
    this.#put(this.#items[from] as T, this.#keys[from] as number, this.#orders[from] as number, to)
  }

  #put(item: T, key: number, order: number, at: number): void {
    this.#items[at] = item
    this.#keys[at] = key
    this.#orders[at] = order
    item.at[this.#slot] = at
  }

  #widen(): void {
    const keys = new Float64Array(this.#keys.length * 2)
    const orders = new Float64Array(this.#orders.length * 2)
    keys.set(this.#keys)
    orders.set(this.#orders)
    this.#keys = keys
    this.#orders = orders
  }
}
