/**
 * A 4-ary heap over things that know their key and their place. Keys live in typed arrays beside the items, so that sifting
 * compares without touching objects. Which number of an item is the key, and where it keeps its place, is for who extends it.
 *
 * A key that moves *later* is not sifted at once: the old one stays as a lower bound, and is corrected when it reaches the
 * top. So a lease that is renewed a thousand times costs one correction.
 *
 * Invariants: (1) stored key <= keyOf(item); (2) items[placeOf(item)] === item; (3) no parent is after its children.
 * What `first` gives depends on keys and orders alone, not on the history of the heap.
 */
import { assert } from './assert.ts'

export interface Ordered {
  /** Breaks ties; unique among the items of a heap, constant. */
  readonly order: number
}

const CAPACITY_MIN = 4

export abstract class LazyHeap<T extends Ordered> {
  #items: T[] = []
  #keys = new Float64Array(CAPACITY_MIN)
  #orders = new Float64Array(CAPACITY_MIN)

  protected abstract keyOf(item: T): number
  /** -1 outside. */
  protected abstract placeOf(item: T): number
  protected abstract setPlace(item: T, place: number): void

  get size(): number {
    return this.#items.length
  }

  has(item: T): boolean {
    const at = this.placeOf(item)
    return at >= 0 && this.#items[at] === item
  }

  add(item: T): void {
    const at = this.#items.length
    if (at === this.#keys.length) this.#widen()
    this.#items.push(item)
    this.#up(item, this.keyOf(item), item.order, at)
  }

  remove(item: T): void {
    const at = this.placeOf(item)
    assert(this.#items[at] === item, 'item is not in the heap')
    const end = this.#items.length - 1
    const last = this.#items.pop() as T
    this.setPlace(item, -1)
    if (at === end) return
    const key = this.#keys[end] as number
    const order = this.#orders[end] as number
    if (at > 0 && this.#isBefore(key, order, (at - 1) >> 2)) this.#up(last, key, order, at)
    else this.#down(last, key, order, at)
  }

  /** To be called after an item's key may have moved earlier. */
  moved(item: T): void {
    const at = this.placeOf(item)
    const key = this.keyOf(item)
    if (key < (this.#keys[at] as number)) this.#up(item, key, item.order, at)
  }

  /** The item with the least (key, order); null when there is none. */
  first(): T | null {
    while (this.#items.length > 0) {
      if (!this.correct()) return this.#items[0] as T
    }
    return null
  }

  /** A lower bound of all keys: that of the top as it is stored; Infinity when there is none. */
  protected get bound(): number {
    return this.#items.length === 0 ? Infinity : (this.#keys[0] as number)
  }

  /** Brings a top whose key moved later down to where it belongs; false where it did not. Only where there is one. */
  protected correct(): boolean {
    const top = this.#items[0] as T
    const key = this.keyOf(top)
    if (key === this.#keys[0]) return false
    this.#down(top, key, top.order, 0)
    return true
  }

  /** Every item, in no meaningful order. */
  [Symbol.iterator](): IterableIterator<T> {
    return this.#items[Symbol.iterator]()
  }

  /** Asserts the invariants. */
  check(): void {
    this.#items.forEach((item, at) => {
      const key = this.#keys[at] as number
      assert(this.placeOf(item) === at, 'heap place is wrong')
      assert(key <= this.keyOf(item), 'heap key is after the true one')
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
    this.setPlace(item, at)
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
