/**
 * What time ends, decided by the cluster time T alone: everything whose deadline is not after T, in the order of
 * (deadline, id, kind), at most `expiriesPerEntryMax` per entry, a session counted as one and each of its grants as one
 * more. What is due beyond that lives until the next entry: a mass death is paced, and nobody loses anything early. The
 * commands of an entry (closing sessions) may end as much again.
 */
import type { ApplyContext } from '../raft/machine.ts'
import type { LockTable } from './table.ts'
import type { Tally } from './tally.ts'
import { Grant } from './grant.ts'
import { LIMITS } from './types.ts'
import { Session } from './session.ts'
import { continueEnding, endGrant, expireSession, timeOutWait } from './session-commands.ts'

/** Returns whether nothing that is due was left for the next entry. */
export function expire(table: LockTable, tally: Tally, ctx: ApplyContext): boolean {
  table.endingsLeft = LIMITS.expiriesPerEntryMax
  // A lower bound: cheap, and enough to know that nothing is due.
  if (table.deadlines.next() > ctx.time) return true
  const isAll = expireDue(table, tally, ctx)
  table.endingsLeft = LIMITS.expiriesPerEntryMax
  return isAll
}

function expireDue(table: LockTable, tally: Tally, ctx: ApplyContext): boolean {
  while (table.endingsLeft > 0) {
    const due = table.deadlines.first()
    if (due === null || due.deadline > ctx.time) return true
    table.endingsLeft -= 1
    if (due instanceof Grant) endGrant(table, tally, ctx, due, 'expired')
    else if (!(due instanceof Session)) timeOutWait(table, tally, ctx, due)
    else if (due.ending === null) expireSession(table, tally, ctx, due)
    else continueEnding(table, tally, ctx, due, due.ending)
  }
  return false
}
