/**
 * Every deadline of the machine in one 4-ary heap, ordered by (deadline, order). Keys live in typed arrays beside the
 * items, so that sifting compares without touching objects.
 *
 * Each item has exactly one place (`heapAt`): nothing is ever left behind, whatever is renewed or removed. A deadline
 * that moves *later* is not sifted at once: its key stays as a lower bound, and is corrected when it reaches the top,
 * once per lease and not once per renewal.
 *
 * Invariants: (1) key <= item.deadline; (2) items[item.heapAt] === item; (3) a parent's key is not after its children's.
 */
import type { Millis } from '../base/ids.ts'
import { assert } from '../base/assert.ts'

export interface Timed {
  deadline: Millis
  /** Breaks ties; unique, constant. */
  readonly order: number
  /** Place in the heap, -1 outside; owned by the heap. */
  heapAt: number
}

/** How many lower bounds `next` corrects per call. */
const CORRECTIONS_MAX = 32

export class Deadlines<T extends Timed> {
  #items: T[] = []
  #due = new Float64Array(256)
  #order = new Float64Array(256)

  get size(): number {
    return this.#items.length
  }

  add(item: T): void {
    const at = this.#items.length
    if (at === this.#due.length) this.#widen()
    this.#items.push(item)
    this.#up(item, item.deadline, item.order, at)
  }

  remove(item: T): void {
    const at = item.heapAt
    assert(this.#items[at] === item, 'item is not in the heap')
    const end = this.#items.length - 1
    const last = this.#items.pop() as T
    item.heapAt = -1
    if (at === end) return
    const due = this.#due[end] as number
    const order = this.#order[end] as number
    if (at > 0 && this.#before(due, order, (at - 1) >> 2)) this.#up(last, due, order, at)
    else this.#down(last, due, order, at)
  }

  /** To be called after an item's deadline has moved. */
  moved(item: T): void {
    const at = item.heapAt
    if (item.deadline < (this.#due[at] as number)) this.#up(item, item.deadline, item.order, at)
  }

  /** The item with the earliest deadline, exactly; null when there is none. */
  first(): T | null {
    while (this.#items.length > 0) {
      if (!this.#correct()) return this.#items[0] as T
    }
    return null
  }

  /** A time not after the earliest deadline, and nearly always equal to it; Infinity when there is none. */
  next(): Millis {
    if (this.#items.length === 0) return Infinity
    for (let i = 0; i < CORRECTIONS_MAX && this.#correct(); i++);
    return this.#due[0] as number
  }

  /** Asserts the invariants. */
  check(): void {
    this.#items.forEach((item, at) => {
      assert(item.heapAt === at, 'heap place is wrong')
      assert((this.#due[at] as number) <= item.deadline, 'heap key is after the deadline')
      const due = this.#due[at] as number
      assert(at === 0 || !this.#before(due, this.#order[at] as number, (at - 1) >> 2), 'heap order is broken')
    })
  }

  /** Brings a top whose deadline moved later down to where it belongs. */
  #correct(): boolean {
    const top = this.#items[0] as T
    if (top.deadline === this.#due[0]) return false
    this.#down(top, top.deadline, this.#order[0] as number, 0)
    return true
  }

  #before(due: number, order: number, at: number): boolean {
    const other = this.#due[at] as number
    return due < other || (due === other && order < (this.#order[at] as number))
  }

  #up(item: T, due: number, order: number, from: number): void {
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 2
      if (!this.#before(due, order, parent)) break
      this.#move(parent, at)
      at = parent
    }
    this.#put(item, due, order, at)
  }

  #down(item: T, due: number, order: number, from: number): void {
    const size = this.#items.length
    let at = from
    for (;;) {
      const first = at * 4 + 1
      if (first >= size) break
      let least = first
      for (let child = first + 1; child < first + 4 && child < size; child++) {
        if (this.#before(this.#due[child] as number, this.#order[child] as number, least)) least = child
      }
      if (this.#before(due, order, least)) break
      this.#move(least, at)
      at = least
    }
    this.#put(item, due, order, at)
  }

  #move(from: number, to: number): void {
    this.#put(this.#items[from] as T, this.#due[from] as number, this.#order[from] as number, to)
  }

  #put(item: T, due: number, order: number, at: number): void {
    this.#items[at] = item
    this.#due[at] = due
    this.#order[at] = order
    item.heapAt = at
  }

  #widen(): void {
    const due = new Float64Array(this.#due.length * 2)
    const order = new Float64Array(this.#order.length * 2)
    due.set(this.#due)
    order.set(this.#order)
    this.#due = due
    this.#order = order
  }
}
