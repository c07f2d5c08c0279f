/** A dequeue that waits for something to become visible. First come, first served. */
import type { Millis } from '../base/ids.ts'
import { Stored } from './stored.ts'
import type { Heaped } from './heap.ts'
import { WAITER } from './kinds.ts'
import type { Queue } from './queue.ts'

/** What a dequeue asks for. */
export interface Demand {
  readonly max: number
  /** null: the queue's, as it is when it is served. */
  readonly visibilityMs: Millis | null
  readonly consumer: string
  readonly watcher: string
  /** The life of the gateway where the caller waits; '' : not told. */
  readonly gateway: string
}

export class Waiter extends Stored implements Heaped {
  readonly kind = WAITER
  readonly queue: Queue
  /** Of its command: its place among the waiting, and where the answer goes. */
  readonly ticket: number
  readonly demand: Demand
  readonly deadline: Millis
  readonly at = [-1]

  constructor(queue: Queue, ticket: number, demand: Demand, deadline: Millis) {
    super()
    this.queue = queue
    this.ticket = ticket
    this.demand = demand
    this.deadline = deadline
  }

  get order(): number {
    return this.ticket
  }

  keyOf(): number {
    return this.deadline
  }
}
