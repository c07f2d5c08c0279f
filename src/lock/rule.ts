/**
 * The grant rule. A request may be granted iff, on each of its locks, either its owner already holds a mode that
 * covers the wanted one (and it may re-enter), or
 *
 *   (a) the mode is compatible with everything held, and
 *   (b) no request ordered before it waits in a conflicting mode.
 *
 * All or nothing. Whether an earlier request is granted or still waits makes no difference to a later one: as a holder
 * or as a waiter it conflicts alike. So the set of requests that may be granted does not depend on the order of looking.
 */
import type { Claim, Waiter } from './waiter.ts'
import type { Grant } from './grant.ts'
import type { Lock } from './lock.ts'
import type { ModeIndex } from './modes.ts'
import { conflictsOf, covers } from './modes.ts'

/** The hold that a waiting claim would re-enter, or null. */
export function reentryOf(claim: Claim): Grant | null {
  const { lock, mode, waiter } = claim
  if (!waiter.request.reentrant) return null
  const own = lock.heldBy(waiter.session, waiter.owner)
  return own !== null && covers(own.mode, mode) ? own : null
}

/** Whether holders, or requests ordered before (vkey, ticket), stand against this mode. */
export function isBlocked(lock: Lock, mode: ModeIndex, vkey: number, ticket: number): boolean {
  const conflicts = conflictsOf(mode)
  return (lock.held & conflicts) !== 0 || (lock.queue !== null && lock.queue.conflictsBefore(vkey, ticket, conflicts))
}

/** The first claim of a waiting request that cannot be granted now, or null. */
export function blockedClaim(waiter: Waiter): Claim | null {
  for (const claim of waiter.claims) {
    if (isBlocked(claim.lock, claim.mode, waiter.vkey, waiter.ticket) && reentryOf(claim) === null) return claim
  }
  return null
}
