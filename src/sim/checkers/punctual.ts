/**
 * Time goes on: what a group waits for in cluster time T comes when its time is there, give or take `LATE_MS`, counted only
 * while the group can go on (a leader that runs and hears a majority, for `SETTLE_MS` already).
 *
 *   a deadline is met first ──> `left` = what T lacks ──(each look: less the time in which the group could go on)──> late?
 *                                          ^── a new leader: what the one before knew and had not written, `forgotten`
 *
 * Once nothing is done to the cluster any more, it is `CALM_LATE_MS`.
 *
 * Without this a group whose leaders change for ever, or do not write T, keeps every lease alive and breaks no rule.
 */
import type { GroupId, Millis } from '../../base/ids.ts'
import type { SimCluster } from '../cluster.ts'
import { canGoOn, leaderOf } from '../health.ts'
import { type Checker, violated } from './checker.ts'

/** Commit, a slow disk, lost frames that are sent again, an election that was under way. */
const LATE_MS: Millis = 5_000
const CALM_LATE_MS: Millis = 1_000
const SETTLE_MS: Millis = 2_000
const LOOK_MS: Millis = 100
/** A change of leader may cost so much of T: docs/architecture.md. */
const FORGOTTEN_MIN_MS: Millis = 2_000
const FORGOTTEN_MAX_MS: Millis = 60_000
const FORGOTTEN_SHARE = 1 / 16

interface Watched {
  deadline: Millis
  left: Millis
  term: number
  /** Since when it can go on, in virtual time; Infinity: it cannot. */
  since: number
}

/** `calm()`: nothing is done to the cluster from now on. */
export function punctual(cluster: SimCluster, groups: readonly GroupId[], driftPpm: number): Checker & { calm(): void } {
  const watched = new Map(
    groups.map((group): [GroupId, Watched] => [group, { deadline: Infinity, left: Infinity, term: 0, since: Infinity }]),
  )
  let lookedAt = 0
  let lateMs = LATE_MS

  const look = (group: GroupId, one: Watched, now: Millis, passed: Millis): void => {
    const led = leaderOf(cluster, group)
    if (led === null || !canGoOn(cluster, led)) {
      one.since = Infinity
      return
    }
    const { term, appliedTime } = led.status
    const deadline = led.node.running?.node.host.machine(group)?.nextDeadline() ?? Infinity
    if (term !== one.term) one.left += forgotten(one.left)
    else if (now - one.since >= SETTLE_MS) one.left -= passed
    one.since = Math.min(one.since, now)
    one.term = term
    if (deadline !== one.deadline) one.left = (deadline - appliedTime) * (1 + driftPpm / 1e6)
    one.deadline = deadline
    if (one.left + lateMs >= 0) return
    violated(
      'punctual',
      group,
      `${led.node.id} leads, T is ${appliedTime}, and what was due at ${deadline} is ${Math.abs(one.left)} ms late`,
    )
  }

  return {
    after() {
      const { now } = cluster.world
      const passed = now - lookedAt
      if (passed < LOOK_MS) return
      lookedAt = now
      for (const [group, one] of watched) look(group, one, now, passed)
    },
    calm() {
      lateMs = CALM_LATE_MS
      for (const one of watched.values()) {
        one.left = Math.max(0, one.left)
        one.since = Infinity
      }
    },
  }
}

function forgotten(left: Millis): Millis {
  return Math.min(Math.max(left * FORGOTTEN_SHARE, FORGOTTEN_MIN_MS), FORGOTTEN_MAX_MS)
}
