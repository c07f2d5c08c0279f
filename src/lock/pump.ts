/**
 * Grants what can be granted after something was freed. Only the queues of touched locks are looked at, and of these
 * only as far as some mode that waits is not yet blocked.
 *
 *   touched locks ──scan──▶ ready requests ──sorted by (vkey, ticket)──▶ granted, settled
 *
 * One pass reaches the fixpoint: granting a request frees nothing, because its hold stands against the same modes as
 * its wait did (see `rule.ts`). Tokens are handed out in the order of the requests.
 */
import type { ApplyContext } from '../raft/machine.ts'
import type { Lock } from './lock.ts'
import type { LockTable } from './table.ts'
import type { Tally } from './tally.ts'
import type { Waiter } from './waiter.ts'
import { addGrant, granted } from './replies.ts'
import { blockedBy } from './modes.ts'
import { blockedClaim, reentryOf } from './rule.ts'
import { grantEvent } from './events.ts'

export function pump(table: LockTable, tally: Tally, ctx: ApplyContext): void {
  const { touched } = table
  if (touched.length === 0) return
  table.touched = []
  const ready: Waiter[] = []
  for (const lock of touched) if (lock.queue !== null) scan(lock, ready)
  if (ready.length > 1) ready.sort((a, b) => (a.precedes(b.vkey, b.ticket) ? -1 : 1))
  for (const waiter of ready) grantWaiter(table, tally, waiter, ctx)
  for (const lock of touched) table.collect(lock)
  // What `grantWaiter` has touched can wake nobody.
  table.touched.length = 0
}

/** Adds the requests of this lock's queue that can be granted. */
function scan(lock: Lock, ready: Waiter[]): void {
  const { claims, mask } = lock.queue as NonNullable<Lock['queue']>
  let blocked = blockedBy(lock.held)
  for (const { waiter, mode } of claims) {
    if ((mask & ~blocked) === 0) return
    if ((blocked & (1 << mode)) === 0 && !waiter.ready && blockedClaim(waiter) === null) {
      waiter.ready = true
      ready.push(waiter)
    }
    blocked |= blockedBy(1 << mode)
  }
}

function grantWaiter(table: LockTable, tally: Tally, waiter: Waiter, ctx: ApplyContext): void {
  const { request, session } = waiter
  const { owner, leaseMs, metadata } = request
  const proof = session === null ? request.proof : ''
  const reply = granted(ctx.time - waiter.since)
  const reentries = waiter.claims.map(reentryOf)
  table.unwait(waiter)
  waiter.claims.forEach(({ lock, mode }, at) => {
    const own = reentries[at] ?? null
    if (own !== null) {
      table.update(own, own.count + 1, Math.max(own.deadline, ctx.time + leaseMs))
      tally.reentered += 1
      addGrant(reply, own, ctx.time)
      return
    }
    const grant = table.grant(lock, mode, { session, proof, owner, leaseMs, metadata }, ctx.time)
    tally.granted += 1
    addGrant(reply, grant, ctx.time)
    ctx.emit(grantEvent('granted', grant))
  })
  ctx.settle(waiter.ticket, reply)
}
