/**
 * A grant lasts until its lease ends in cluster time, unless its holder let it go: no failover, restart or snapshot takes it
 * away. And who waits keeps their place.
 */
import { LOCKS_GROUP, type LogIndex, type Millis } from '../../base/ids.ts'
import { type Checker, violated } from './checker.ts'
import type { LockState, LockViews } from './lock-views.ts'

interface Known {
  readonly name: string
  index: LogIndex
  expiresAt: Millis
}

export interface GrantLedger {
  /** A client asked for the end of this grant (or of its session); from now on it may go at any time. */
  ending(grantId: string): void
  /** The highest cluster time seen so far. */
  readonly time: Millis
  /**
   * A client was told of this grant, which it asked for after cluster time `askedAt`. Some replica has it, or its lease has
   * ended since.
   */
  acknowledged(grantId: string, askedAt: Millis, leaseMs: Millis): void
}

/** Slack for leases that end between two looks: time is stamped per entry. */
const SLACK_MS: Millis = 0.001

/** `blind`: some replica may lead that nobody has looked at yet. */
export function lockGrants(views: LockViews, isLeased: (owner: string) => boolean, blind: () => boolean): Checker & GrantLedger {
  const grants = new Map<string, Known>()
  const ending = new Set<string>()
  let told: readonly { readonly grantId: string; readonly endsAt: Millis }[] = []
  let highest: Millis = 0
  const queues = new Map<string, { readonly index: LogIndex; readonly owners: ReadonlyMap<string, readonly string[]> }>()

  const look = ({ index, time, locks }: LockState): void => {
    const present = new Set<string>()
    highest = Math.max(highest, time)
    for (const { name, holders } of locks) {
      for (const { grantId, owner, remainingMs } of holders) {
        present.add(grantId)
        if (!isLeased(owner)) continue
        const known = grants.get(grantId)
        if (!known) grants.set(grantId, { name, index, expiresAt: time + remainingMs })
        else if (index >= known.index) Object.assign(known, { index, expiresAt: time + remainingMs })
      }
    }
    for (const [grantId, { name, index: seenAt, expiresAt }] of grants) {
      if (index <= seenAt || present.has(grantId) || ending.has(grantId)) continue
      if (time < expiresAt - SLACK_MS) {
        violated('lease', LOCKS_GROUP, `${grantId} of ${name} is gone at ${index}, ${expiresAt - time} ms before its lease ended`)
      }
      grants.delete(grantId)
      ending.add(grantId)
    }
  }

  const places = (replica: string, { index, locks }: LockState): void => {
    const owners = new Map(locks.map(({ name, waiters }) => [name, waiters.map(({ owner }) => owner)]))
    const before = queues.get(replica)
    queues.set(replica, { index, owners })
    if (!before || before.index > index) return
    for (const [name, now] of owners) {
      const stayed = (before.owners.get(name) ?? []).filter((owner) => now.includes(owner))
      const order = now.filter((owner) => stayed.includes(owner))
      if (order.join() !== stayed.join()) {
        violated('place in the queue', LOCKS_GROUP, `${name} at ${index}: waited as ${stayed.join()}, now ${order.join()}`)
      }
      const newcomer = now.findIndex((owner) => !stayed.includes(owner))
      if (newcomer >= 0 && now.slice(newcomer).some((owner) => stayed.includes(owner))) {
        violated('place in the queue', LOCKS_GROUP, `${name} at ${index}: ${now[newcomer]} came later and stands before others`)
      }
    }
  }

  return {
    seen(seen) {
      const state = views.read(seen)
      if (!state) return
      look(state)
      places(`${seen.node}/${seen.life}/${seen.replica}`, state)
    },
    ending: (grantId) => void ending.add(grantId),
    get time() {
      return highest
    },
    // Within the event in which the leader applied it, nobody has looked at its state yet.
    acknowledged: (grantId, askedAt, leaseMs) => void (told = [...told, { grantId, endsAt: askedAt + leaseMs }]),
    after() {
      if (told.length === 0) return
      told = told.filter(({ grantId, endsAt }) => !grants.has(grantId) && !ending.has(grantId) && highest < endsAt)
      if (told.length === 0 || blind()) return
      for (const { grantId } of told) {
        violated('acknowledged grant', LOCKS_GROUP, `${grantId} was acknowledged, and no replica has or had it`)
      }
    },
  }
}
