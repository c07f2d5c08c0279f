/**
 * A request for a set of locks: granted now, refused now, or made to wait.
 *
 *   session and owner  ──▶  own holds (re-entry, ALREADY_HELD)  ──▶  grant rule  ──▶  granted
 *                                                                       │ blocked
 *                                                        waitMs 0: LOCK_HELD │ else: waits, answered by the pump,
 *                                                                            │ its deadline, or its session's end
 */
import type { ApplyContext } from '../raft/machine.ts'
import type { Plain } from '../actors/envelope.ts'
import { type Refused, invalid, refuse } from '../base/refusal.ts'
import type { Acquire } from './codec.ts'
import type { LockTable } from './table.ts'
import type { Tally } from './tally.ts'
import { Grant } from './grant.ts'
import type { Lock } from './lock.ts'
import type { Session } from './session.ts'
import { LIMITS } from './types.ts'
import { Waiter, vkeyOf } from './waiter.ts'
import { addGrant, granted } from './replies.ts'
import { contentionDetails, grantView } from './views.ts'
import { covers } from './modes.ts'
import { findSession } from './proof.ts'
import { grantEvent, waitingEvent } from './events.ts'
import { isBlocked } from './rule.ts'

/** The reply, a refusal, or null: it waits. */
export function acquire(table: LockTable, tally: Tally, ctx: ApplyContext, ticket: number, request: Acquire): Plain[] | Refused | null {
  const session = request.session === '' ? null : acquirer(table, request)
  if (session !== null && 'type' in session) return session
  const own = ownHolds(table, ctx, request, session)
  if (own !== null && !Array.isArray(own)) return own as Refused
  const blocker = firstBlocked(table, ctx, ticket, request, own as readonly (Grant | null)[] | null)
  if (blocker === null) return grantAll(table, tally, ctx, request, session, own as readonly (Grant | null)[] | null)
  if (request.waitMs === 0) return refuse('LOCK_HELD', `${blocker.name} is held`, contentionDetails(blocker, ctx.time))
  return startWait(table, tally, ctx, ticket, request, session)
}

/** The explicit session of the request, free to ask for something. */
function acquirer(table: LockTable, request: Acquire): Session | Refused {
  const session = findSession(table, request.session, request.proof)
  if ('type' in session) return session
  if (session instanceof Grant) return invalid('session', 'an implicit session owns the grant it came with and nothing else')
  if (session.namespace !== request.namespace) return refuse('FORBIDDEN', 'the session belongs to another namespace')
  if (session.isBusy(request.owner)) return refuse('OWNER_BUSY', `${request.owner} already waits: use a set, or another owner`)
  return session
}

/** Per item the hold that it re-enters, or null; null for none at all. */
function ownHolds(table: LockTable, ctx: ApplyContext, request: Acquire, session: Session | null): (Grant | null)[] | Refused | null {
  if (session === null || request.owner === '') return null
  let holds: (Grant | null)[] | null = null
  for (let at = 0; at < request.items.length; at++) {
    const { name, mode } = request.items[at] as Acquire['items'][number]
    const own = table.findLock(request.namespace, name)?.heldBy(session, request.owner) ?? null
    if (own === null) continue
    if (!request.reentrant || !covers(own.mode, mode)) {
      return refuse('ALREADY_HELD', `${request.owner} already holds ${name}`, { grant: grantView(own, ctx.time) })
    }
    if (own.count === LIMITS.reentryMax) return refuse('QUOTA', `${name} is entered ${own.count} times`, { name })
    holds ??= request.items.map(() => null)
    holds[at] = own
  }
  return holds
}

function firstBlocked(
  table: LockTable,
  ctx: ApplyContext,
  ticket: number,
  request: Acquire,
  own: readonly (Grant | null)[] | null,
): Lock | null {
  const vkey = vkeyOf(ctx.time, request.priority)
  for (let at = 0; at < request.items.length; at++) {
    if (own !== null && own[at] !== null) continue
    const { name, mode } = request.items[at] as Acquire['items'][number]
    const lock = table.findLock(request.namespace, name)
    if (lock !== null && isBlocked(lock, mode, vkey, ticket)) return lock
  }
  return null
}

function grantAll(
  table: LockTable,
  tally: Tally,
  ctx: ApplyContext,
  request: Acquire,
  session: Session | null,
  own: readonly (Grant | null)[] | null,
): Plain[] | Refused {
  const { namespace, owner, items, leaseMs, metadata } = request
  if (table.grants.size + items.length > LIMITS.grantsMax) return refuse('OVERLOADED', 'too many locks are held')
  const claimant = { session, proof: session === null ? request.proof : '', owner, leaseMs, metadata }
  const reply = granted(0)
  for (let at = 0; at < items.length; at++) {
    const { name, mode } = items[at] as Acquire['items'][number]
    const held = own === null ? null : (own[at] as Grant | null)
    if (held !== null) {
      table.update(held, held.count + 1, Math.max(held.deadline, ctx.time + leaseMs))
      tally.reentered += 1
      addGrant(reply, held, ctx.time)
      continue
    }
    const grant = table.grant(table.lockFor(namespace, name), mode, claimant, ctx.time)
    tally.granted += 1
    addGrant(reply, grant, ctx.time)
    ctx.emit(grantEvent('granted', grant))
  }
  return reply
}

function startWait(
  table: LockTable,
  tally: Tally,
  ctx: ApplyContext,
  ticket: number,
  request: Acquire,
  session: Session | null,
): Refused | null {
  if (table.waiters.size >= LIMITS.waitersMax) return refuse('OVERLOADED', 'too many requests wait')
  for (const { name } of request.items) {
    const length = table.findLock(request.namespace, name)?.queueLength ?? 0
    if (length >= LIMITS.waitersPerLockMax) return refuse('OVERLOADED', `too many requests wait for ${name}`, { name, queueLength: length })
  }
  const locks = request.items.map(({ name }) => table.lockFor(request.namespace, name))
  const waiter = new Waiter(ticket, request, session, ctx.time, locks)
  table.wait(waiter)
  tally.waited += 1
  for (const claim of waiter.claims) ctx.emit(waitingEvent(claim))
  return null
}
