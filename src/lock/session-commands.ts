/**
 * Opening, keeping and ending sessions. When a session ends, all it has ends with it in the same apply: first its waits
 * (by ticket), then its grants (by token), then the pump runs. One with more grants than an entry may end is nobody's from
 * that apply on, and its grants end with the next entries, the oldest first.
 *
 * An implicit session is its grant: keepalive renews it, close releases it, and it never waits.
 */
import type { ApplyContext } from '../raft/machine.ts'
import type { Plain } from '../actors/envelope.ts'
import { type Refused, refuse } from '../base/refusal.ts'
import type { OpenSession, SessionCommand } from './codec.ts'
import type { LockTable } from './table.ts'
import type { Ending, Session } from './session.ts'
import type { Tally } from './tally.ts'
import type { Claim, Waiter } from './waiter.ts'
import { Grant } from './grant.ts'
import { LIMITS } from './types.ts'
import { blockedClaim } from './rule.ts'
import { alive, closed, opened, refused } from './replies.ts'
import { contentionDetails } from './views.ts'
import { findSession } from './proof.ts'
import { grantEvent, sessionExpiredEvent } from './events.ts'
import { sessionId } from './ids.ts'

export function openSession(table: LockTable, tally: Tally, ctx: ApplyContext, command: OpenSession): Plain | Refused {
  if (table.sessions.size >= LIMITS.sessionsMax) return refuse('OVERLOADED', 'too many sessions are open')
  const session = table.openSession(command, ctx.time + command.ttlMs)
  tally.sessionsOpened += 1
  return opened(session.number, command.ttlMs)
}

export function sessionCommand(table: LockTable, tally: Tally, ctx: ApplyContext, command: SessionCommand): Plain | Refused {
  const session = findSession(table, command.session, command.proof)
  if ('type' in session) return session
  if (session instanceof Grant) return implicitCommand(table, tally, ctx, command, session)
  switch (command.type) {
    case 'session_keepalive':
      table.keepAlive(session, ctx.time + session.ttlMs)
      return alive(session.ttlMs)
    case 'session_close': {
      const grants = session.grantCount
      endSession(table, tally, ctx, session, 'released')
      return closed(grants)
    }
  }
}

function implicitCommand(table: LockTable, tally: Tally, ctx: ApplyContext, command: SessionCommand, grant: Grant): Plain {
  switch (command.type) {
    case 'session_keepalive':
      table.update(grant, grant.count, ctx.time + grant.leaseMs)
      tally.renewed += 1
      return alive(grant.leaseMs)
    case 'session_close':
      endGrant(table, tally, ctx, grant, 'released')
      return closed(1)
  }
}

/** Its TTL has passed. A session that lingers gives up its waits, and ends when the last of its leases has. */
export function expireSession(table: LockTable, tally: Tally, ctx: ApplyContext, session: Session): void {
  const until = session.lingers ? session.leasesEnd : 0
  if (until <= ctx.time) return endSession(table, tally, ctx, session, 'expired')
  const waiters = session.waiters()
  unwaitAll(table, waiters)
  for (const waiter of waiters) settleCancelled(tally, ctx, waiter)
  table.keepAlive(session, until)
}

/** Ends a session and everything it has. `how` says whether its holder let go or was lost. */
export function endSession(table: LockTable, tally: Tally, ctx: ApplyContext, session: Session, how: Ending): void {
  const gone = refused(refuse('SESSION_EXPIRED', `session ${sessionId(session.number, '')} ended while this request waited`))
  const waiters = session.waiters()
  unwaitAll(table, waiters)
  for (const waiter of waiters) {
    tally.cancelled += 1
    ctx.settle(waiter.ticket, gone)
  }
  if (session.grantCount > table.endingsLeft) table.beginEnding(session, how, ctx.time)
  continueEnding(table, tally, ctx, session, how)
}

/** Ends as many of its grants as this entry still may, and with the last the session. */
export function continueEnding(table: LockTable, tally: Tally, ctx: ApplyContext, session: Session, how: Ending): void {
  for (let grant = session.oldest; grant !== null && table.endingsLeft > 0; grant = session.oldest) {
    table.endingsLeft -= 1
    endGrant(table, tally, ctx, grant, how)
  }
  if (session.grantCount > 0) return
  table.dropSession(session)
  if (how === 'released') return
  tally.sessionsExpired += 1
  ctx.emit(sessionExpiredEvent(session))
}

export function endGrant(table: LockTable, tally: Tally, ctx: ApplyContext, grant: Grant, how: Ending): void {
  table.drop(grant)
  tally[how] += 1
  ctx.emit(grantEvent(how, grant))
}

/** Takes waits out of their queues, the last first: each is at its end then, and 10,000 of one session may be in one queue. */
function unwaitAll(table: LockTable, waiters: readonly Waiter[]): void {
  for (let at = waiters.length - 1; at >= 0; at--) table.unwait(waiters[at] as Waiter)
}

/** Ends a wait whose caller has gone. */
export function cancelWait(table: LockTable, tally: Tally, ctx: ApplyContext, waiter: Waiter): void {
  table.unwait(waiter)
  settleCancelled(tally, ctx, waiter)
}

/** Nobody reads it, so it does not say who holds the lock. */
function settleCancelled(tally: Tally, ctx: ApplyContext, waiter: Waiter): void {
  tally.cancelled += 1
  const { name } = (waiter.claims[0] as Claim).lock
  ctx.settle(waiter.ticket, refused(refuse('WAIT_TIMEOUT', `the wait for ${name} was cancelled`, { name })))
}

/** Ends a wait at its deadline. */
export function timeOutWait(table: LockTable, tally: Tally, ctx: ApplyContext, waiter: Waiter): void {
  tally.timedOut += 1
  const { lock } = blockedClaim(waiter) ?? (waiter.claims[0] as Claim)
  table.unwait(waiter)
  const message = `the wait for ${lock.name} was not granted within ${waiter.request.waitMs} ms`
  ctx.settle(waiter.ticket, refused(refuse('WAIT_TIMEOUT', message, contentionDetails(lock, ctx.time))))
}
