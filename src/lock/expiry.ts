/**
 * What time ends, decided by the cluster time T alone: everything whose deadline is not after T, in the order of
 * (deadline, id, kind), at most `expiriesPerEntryMax` per entry. What is due beyond that lives until the next entry: a
 * mass death is paced, and nobody loses anything early.
 */
import type { ApplyContext } from '../raft/machine.ts'
import type { LockTable } from './table.ts'
import type { Tally } from './tally.ts'
import { Grant } from './grant.ts'
import { LIMITS } from './types.ts'
import { Session } from './session.ts'
import { endGrant, expireSession, timeOutWait } from './session-commands.ts'

/** Returns whether nothing that is due was left for the next entry. */
export function expire(table: LockTable, tally: Tally, ctx: ApplyContext): boolean {
  // A lower bound: cheap, and enough to know that nothing is due.
  if (table.deadlines.next() > ctx.time) return true
  for (let expired = 0; expired < LIMITS.expiriesPerEntryMax; expired++) {
    const due = table.deadlines.first()
    if (due === null || due.deadline > ctx.time) return true
    if (due instanceof Grant) endGrant(table, tally, ctx, due, 'expired')
    else if (due instanceof Session) expireSession(table, tally, ctx, due)
    else timeOutWait(table, tally, ctx, due)
  }
  return false
}
