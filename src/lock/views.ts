/** What readers and refusals show of the state. Durations are against the time of asking, and never negative. */
import { LIMITS } from './types.ts'
import type { Millis } from '../base/ids.ts'
import type { Claim } from './waiter.ts'
import type { Grant } from './grant.ts'
import type { GrantView, HolderView, LockStatus, SessionView, WaiterView } from './types.ts'
import type { Lock } from './lock.ts'
import type { Session } from './session.ts'
import { grantId, sessionId } from './ids.ts'
import { modeName, strongest } from './modes.ts'
import { parseMetadata } from './metadata.ts'

export function idOfGrant(grant: Grant): string {
  return grantId(grant.token, grant.session === null ? 0 : grant.session.number, grant.owner)
}

export function grantView(grant: Grant, time: Millis): GrantView {
  const id = idOfGrant(grant)
  return {
    name: grant.lock.name,
    mode: modeName(grant.mode),
    owner: grant.owner,
    grantId: id,
    token: grant.token,
    session: sessionId(grant.session === null ? 0 : grant.session.number, id),
    leaseMs: grant.leaseMs,
    remainingMs: Math.max(0, grant.deadline - time),
    count: grant.count,
  }
}

function holderView(grant: Grant, time: Millis): HolderView {
  return { ...outerView(grant, time), metadata: parseMetadata(grant.metadata) }
}

function outerView(grant: Grant, time: Millis): Omit<HolderView, 'metadata'> {
  return {
    owner: grant.owner,
    mode: modeName(grant.mode),
    grantId: idOfGrant(grant),
    token: grant.token,
    count: grant.count,
    heldMs: Math.max(0, time - grant.grantedAt),
    remainingMs: Math.max(0, grant.deadline - time),
  }
}

/** The oldest holders, at most `max`. */
function holderViews(lock: Lock, time: Millis, max: number): HolderView[] {
  const views: HolderView[] = []
  for (const grant of lock.holders()) {
    if (views.length === max) break
    views.push(holderView(grant, time))
  }
  return views
}

function waiterView(claim: Claim, position: number, time: Millis): WaiterView {
  const { waiter } = claim
  return {
    owner: waiter.owner,
    mode: modeName(claim.mode),
    position,
    priority: waiter.request.priority,
    waitedMs: Math.max(0, time - waiter.since),
  }
}

/**
 * The details of LOCK_HELD and WAIT_TIMEOUT. They are kept as long as the answer, under its idempotency key for ten minutes:
 * so of the metadata only what fits together into the size of one, the oldest holders' first. The status shows it all.
 */
export function contentionDetails(lock: Lock, time: Millis): Readonly<Record<string, unknown>> {
  const holders: Partial<HolderView>[] = []
  let left: number = LIMITS.metadataBytesMax
  for (const grant of lock.holders()) {
    if (holders.length === LIMITS.refusalHoldersMax) break
    left -= grant.metadata.length
    holders.push(left < 0 ? outerView(grant, time) : holderView(grant, time))
  }
  return { name: lock.name, holders, queueLength: lock.queueLength }
}

/** The status of a name; `lock` null: nobody holds it or waits for it. */
export function statusView(name: string, lock: Lock | null, time: Millis): LockStatus {
  if (lock === null) return { name, state: 'free', mode: null, holders: [], waiters: [], queueLength: 0, holderCount: 0 }
  const claims = lock.queue === null ? [] : lock.queue.claims.slice(0, LIMITS.statusEntriesMax)
  return {
    name,
    state: lock.isHeld ? 'held' : 'free',
    mode: lock.isHeld ? modeName(strongest(lock.held)) : null,
    holders: holderViews(lock, time, LIMITS.statusEntriesMax),
    waiters: claims.map((claim, at) => waiterView(claim, at + 1, time)),
    queueLength: lock.queueLength,
    holderCount: lock.holderCount,
  }
}

export function sessionView(session: Session, time: Millis): SessionView {
  return {
    id: sessionId(session.number, ''),
    name: session.name,
    ttlMs: session.ttlMs,
    remainingMs: Math.max(0, session.deadline - time),
    grants: session.grantCount,
    waits: session.waitCount,
    metadata: parseMetadata(session.metadata),
  }
}
