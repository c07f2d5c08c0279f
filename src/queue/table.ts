/**
 * The queues of a partition, and what they share: who waits, what is due, what the next drain writes.
 *
 *   queues by name, by number      due: queues by their next deadline      patience: waiting dequeues by theirs
 *   fences by resource             touched: queues that may serve a waiting one now
 *   graves: pages of bodies that are deleted little by little
 */
import type { Millis } from '../base/ids.ts'
import { type BodyCache } from './body-cache.ts'
import { ColdChanges } from './bodies.ts'
import { Changes } from '../base/changes.ts'
import type { Stored } from './stored.ts'
import { Fences } from './fences.ts'
import { Graves } from './graves.ts'
import { Heap } from './heap.ts'
import { QUEUES_PER_PARTITION } from './ids.ts'
import { Queue } from './queue.ts'
import { type Tally, newTally } from './tally.ts'
import type { QueueConfig, QueueName } from './types.ts'
import type { Waiter } from './waiter.ts'

const SLOT = 0

export class QueueTable {
  readonly byNumber = new Map<number, Queue>()
  /** By namespace, then by name. */
  readonly #byName = new Map<string, Map<string, Queue>>()
  readonly changes = new Changes<Stored>()
  readonly cold = new ColdChanges()
  readonly bodyCache: BodyCache
  readonly partition: number
  readonly due = new Heap<Queue>(SLOT)
  readonly waiters = new Map<number, Waiter>()
  readonly patience = new Heap<Waiter>(SLOT)
  /** How many wait at each gateway that was told. */
  readonly gateways = new Map<string, number>()
  readonly fences: Fences = new Fences(this.changes)
  readonly graves: Graves = new Graves(this)
  /** What the queues counted that were deleted. */
  readonly goneTally: Tally = newTally()
  touched: Queue[] = []
  /** How many queues were made. */
  lastQueue = 0
  countersChanged = false

  constructor(bodyCache: BodyCache, partition: number) {
    this.bodyCache = bodyCache
    this.partition = partition
  }

  find({ namespace, queue }: QueueName): Queue | null {
    return this.#byName.get(namespace)?.get(queue) ?? null
  }

  create({ namespace, queue }: QueueName, config: QueueConfig): Queue {
    this.lastQueue += 1
    this.countersChanged = true
    const made = new Queue(this, this.partition * QUEUES_PER_PARTITION + this.lastQueue, { namespace, queue }, config)
    this.link(made)
    made.touch()
    return made
  }

  link(queue: Queue): void {
    this.byNumber.set(queue.number, queue)
    const { namespace, queue: name } = queue.name
    const named = this.#byName.get(namespace) ?? new Map<string, Queue>()
    this.#byName.set(namespace, named)
    named.set(name, queue)
    this.due.add(queue)
  }

  /** Takes a queue out, whose messages and waiters are gone. */
  drop(queue: Queue): void {
    for (const lane of queue.lanes.values()) this.changes.removed(lane)
    for (const [what, count] of Object.entries(queue.tally)) this.goneTally[what as keyof Tally] += count
    queue.dedup.forget()
    queue.settled.forget()
    this.byNumber.delete(queue.number)
    const { namespace, queue: name } = queue.name
    const named = this.#byName.get(namespace)
    named?.delete(name)
    if (named?.size === 0) this.#byName.delete(namespace)
    this.due.remove(queue)
    this.changes.removed(queue)
  }

  /** Something of the queue can be delivered, and somebody waits for it. */
  wake(queue: Queue): void {
    if (queue.isTouched) return
    queue.isTouched = true
    this.touched.push(queue)
  }

  wait(waiter: Waiter): void {
    this.linkWaiter(waiter)
    this.changes.touched(waiter)
  }

  linkWaiter(waiter: Waiter): void {
    this.waiters.set(waiter.ticket, waiter)
    waiter.queue.waiters.set(waiter.ticket, waiter)
    this.patience.add(waiter)
    this.#count(waiter, 1)
  }

  unwait(waiter: Waiter): void {
    this.waiters.delete(waiter.ticket)
    waiter.queue.waiters.delete(waiter.ticket)
    this.patience.remove(waiter)
    this.#count(waiter, -1)
    this.changes.removed(waiter)
  }

  #count({ demand: { gateway } }: Waiter, change: number): void {
    if (gateway === '') return
    const count = (this.gateways.get(gateway) ?? 0) + change
    if (count > 0) this.gateways.set(gateway, count)
    else this.gateways.delete(gateway)
  }

  /** The queue where something is due first, its `deadline` exact; null: nothing ever is. */
  firstDue(): Queue | null {
    for (;;) {
      const queue = this.due.first()
      if (queue === null || queue.deadline === Infinity) return null
      const due = queue.due()
      if (due <= queue.deadline) return queue
      queue.deadline = due
    }
  }

  nextDeadline(): Millis {
    const due = this.firstDue()?.deadline ?? Infinity
    return Math.min(due, this.patience.first()?.deadline ?? Infinity, this.graves.deadline)
  }
}
