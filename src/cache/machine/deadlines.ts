/** What is due first: entries by the end of their lives, loads by their leases, those who wait by their patience. */
import type { Millis } from '../../base/ids.ts'
import { LazyHeap, type Ordered } from '../../base/lazy-heap.ts'

export interface Mortal extends Ordered {
  readonly deadline: Millis
  /** In the heap, -1 outside; owned by it. */
  place: number
}

export class Deadlines<T extends Mortal> extends LazyHeap<T> {
  protected keyOf(item: T): number {
    return item.deadline
  }

  protected placeOf(item: T): number {
    return item.place
  }

  protected setPlace(item: T, place: number): void {
    item.place = place
  }
}
