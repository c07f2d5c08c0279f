/** Leaving a lock and keeping it: both address the grant, never just the name, so a late call cannot touch a newer hold. */
import type { ApplyContext } from '../raft/machine.ts'
import type { Plain } from '../actors/envelope.ts'
import type { Refused } from '../base/refusal.ts'
import type { GrantCommand } from './codec.ts'
import type { LockTable } from './table.ts'
import type { Tally } from './tally.ts'
import { findGrant } from './proof.ts'
import { grantEvent } from './events.ts'
import { released, renewed } from './replies.ts'

/** Takes back one entry; the last one frees the lock. */
export function release(table: LockTable, tally: Tally, ctx: ApplyContext, command: GrantCommand): Plain | Refused {
  const grant = findGrant(table, command)
  if ('type' in grant) return grant
  const count = grant.count - 1
  if (count > 0) {
    table.update(grant, count, grant.deadline)
  } else {
    table.drop(grant)
    tally.released += 1
    ctx.emit(grantEvent('released', grant))
  }
  return released(count, ctx.time - grant.grantedAt)
}

/** Starts the lease anew, from now. A shorter one than what remains shortens it. */
export function renew(table: LockTable, tally: Tally, ctx: ApplyContext, command: GrantCommand): Plain | Refused {
  const grant = findGrant(table, command)
  if ('type' in grant) return grant
  const leaseMs = command.leaseMs === 0 ? grant.leaseMs : command.leaseMs
  table.update(grant, grant.count, ctx.time + leaseMs)
  tally.renewed += 1
  return renewed(leaseMs, grant.token)
}
