/** Lanes and notes by their keys; an item may be in several heaps, in a slot of its own in each. */
import { LazyHeap, type Ordered } from '../base/lazy-heap.ts'

export interface Heaped extends Ordered {
  /** Its place in the heap of each slot, -1 outside; owned by the heaps. */
  readonly at: number[]
  keyOf(slot: number): number
}

export class Heap<T extends Heaped> extends LazyHeap<T> {
  readonly #slot: number

  constructor(slot: number) {
    super()
    this.#slot = slot
  }

  protected keyOf(item: T): number {
    return item.keyOf(this.#slot)
  }

  protected placeOf(item: T): number {
    return item.at[this.#slot] as number
  }

  protected setPlace(item: T, place: number): void {
    item.at[this.#slot] = place
  }
}
