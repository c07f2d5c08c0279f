/**
 * Every deadline of the machine in one heap, ordered by (deadline, order). Each item has exactly one place (`heapAt`):
 * nothing is ever left behind, whatever is renewed or removed.
 */
import { LazyHeap, type Ordered } from '../base/lazy-heap.ts'
import type { Millis } from '../base/ids.ts'

export interface Timed extends Ordered {
  deadline: Millis
  /** Place in the heap, -1 outside; owned by the heap. */
  heapAt: number
}

/** How many lower bounds `next` corrects per call. */
const CORRECTIONS_MAX = 32

export class Deadlines<T extends Timed> extends LazyHeap<T> {
  protected keyOf(item: T): number {
    return item.deadline
  }

  protected placeOf(item: T): number {
    return item.heapAt
  }

  protected setPlace(item: T, place: number): void {
    item.heapAt = place
  }

  /** A time not after the earliest deadline, and nearly always equal to it; Infinity when there is none. */
  next(): Millis {
    if (this.size === 0) return Infinity
    for (let i = 0; i < CORRECTIONS_MAX && this.correct(); i++);
    return this.bound
  }
}
