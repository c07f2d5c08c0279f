/** What there is, in numbers, for metrics: of each queue up to a stated number of queues, and of all together. */
import type { Millis } from '../base/ids.ts'
import { statusOf } from './queries.ts'
import type { Queue } from './queue.ts'
import type { QueueTable } from './table.ts'
import { type Tally, newTally } from './tally.ts'

export interface QueueNumbers {
  /** What waits to be delivered: ready and delayed. */
  readonly depth: number
  readonly inFlight: number
  readonly dead: number
  readonly waiters: number
  /** Of the oldest ready message; 0: none. */
  readonly oldestReadyAgeMs: Millis
  /** Since this replica's start. */
  readonly tally: Readonly<Tally>
}
export interface QueueMachineStats {
  /** How many queues there are. */
  readonly queues: number
  /** The first of them, by number: those that were made first. */
  readonly perQueue: readonly ({ readonly namespace: string; readonly queue: string } & QueueNumbers)[]
  /** Of all queues, also those that are not told of one by one. */
  readonly total: QueueNumbers
}

export function statsOf(table: QueueTable, time: Millis, queuesMax: number): QueueMachineStats {
  const perQueue: ({ readonly namespace: string; readonly queue: string } & QueueNumbers)[] = []
  const tally = newTally()
  const total = { depth: 0, inFlight: 0, dead: 0, waiters: 0, oldestReadyAgeMs: 0, tally }
  for (const queue of table.byNumber.values()) {
    const numbers = numbersOf(queue, time)
    total.depth += numbers.depth
    total.inFlight += numbers.inFlight
    total.dead += numbers.dead
    total.waiters += numbers.waiters
    total.oldestReadyAgeMs = Math.max(total.oldestReadyAgeMs, numbers.oldestReadyAgeMs)
    for (const [what, count] of Object.entries(numbers.tally)) tally[what as keyof Tally] += count
    if (perQueue.length < queuesMax) perQueue.push({ ...queue.name, ...numbers })
  }
  for (const [what, count] of Object.entries(table.goneTally)) tally[what as keyof Tally] += count
  return { queues: table.byNumber.size, perQueue, total }
}

function numbersOf(queue: Queue, time: Millis): QueueNumbers {
  const { ready, leased, delayed, dead, oldestReadyAgeMs } = statusOf(queue, time)
  return { depth: ready + delayed, inFlight: leased, dead, waiters: queue.waiters.size, oldestReadyAgeMs, tally: queue.tally }
}
