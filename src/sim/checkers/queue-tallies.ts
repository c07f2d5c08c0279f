/**
 * What a replica counts of its queues adds up with what is there, from its first sight of a life (or of a snapshot) on:
 *
 *   messages     there now + acknowledged + purged + dropped + outlived - enqueued                 stays what it was
 *   deliveries   leased now + acknowledged + nacked + expired (+ leases that a purge ended) - delivered    likewise
 *
 * The first is "depth = enqueued - ended" (I11), the second the bound on duplicates as the machine itself sees it (I7).
 */
import { FIRST_PARTITION } from '../../base/ids.ts'
import type { PartitionMachine } from '../../partition-machine.ts'
import { type Checker, type Seen, violated } from './checker.ts'

/** One in so many entries is looked at. */
const EVERY = 4

interface Known {
  readonly messages: number
  readonly deliveries: number
  readonly purged: number
}

export function queueTallies(): Checker {
  const replicas = new Map<string, Known>()
  return {
    seen(seen) {
      const { node, life, group, replica, status, before } = seen
      if (group < FIRST_PARTITION) return
      const key = `${node}/${life}/${group}/${replica}`
      // A snapshot that is taken in ends what was counted.
      if (!status.serving || before === null) replicas.delete(key)
      if (!status.serving || (before !== null && (before.applied === status.applied || status.applied % EVERY !== 0))) return
      const known = replicas.get(key)
      const now = countsOf(seen)
      if (known) compare(seen, known, now)
      replicas.set(key, now)
    },
  }
}

function countsOf({ machine, status }: Seen): Known {
  const { total } = (machine as PartitionMachine).queues.stats(status.appliedTime)
  const { enqueued, delivered, acked, nacked, expired, outlived, dropped, purged } = total.tally
  return {
    messages: total.depth + total.inFlight + total.dead + acked + purged + dropped + outlived - enqueued,
    deliveries: total.inFlight + acked + nacked + expired - delivered,
    purged,
  }
}

function compare({ node, group, status }: Seen, known: Known, now: Known): void {
  const where = `${node} at ${status.applied}`
  if (now.messages !== known.messages)
    violated('queue tallies', group, `${where}: ${now.messages - known.messages} messages more than were taken in (I11)`)
  const ended = now.deliveries - known.deliveries
  if (ended > 0 || (ended < 0 && now.purged === known.purged))
    violated('queue tallies', group, `${where}: ${ended} deliveries ended more often than they began (I7)`)
}
