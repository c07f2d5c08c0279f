/**
 * The deadlines of a machine in one heap, ordered by (deadline, order). Each item has exactly one place: nothing is ever left
 * behind, whatever is renewed or removed.
 */
import type { Millis } from './ids.ts'
import { LazyHeap, type Ordered } from './lazy-heap.ts'

export interface Timed extends Ordered {
  readonly deadline: Millis
  /** In the heap, -1 outside; owned by it. */
  place: number
}

/** How many lower bounds `next` corrects per call. */
const CORRECTIONS_MAX = 32

export class Deadlines<T extends Timed> extends LazyHeap<T> {
  protected keyOf(item: T): number {
    return item.deadline
  }

  protected placeOf(item: T): number {
    return item.place
  }

  protected setPlace(item: T, place: number): void {
    item.place = place
  }

  /** A time not after the earliest deadline, and nearly always equal to it; Infinity when there is none. */
  next(): Millis {
    if (this.size === 0) return Infinity
    for (let i = 0; i < CORRECTIONS_MAX && this.correct(); i++);
    return this.bound
  }
}
