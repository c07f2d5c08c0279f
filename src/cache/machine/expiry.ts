/** What happens because time has passed, and what was too much for the entry before: at most so much in one entry of the log. */
import type { ApplyContext } from '../../raft/machine.ts'
import { MACHINE_LIMITS } from './commands.ts'
import type { Entry } from './entry.ts'
import { expireLoads } from './load.ts'
import { evict, makeRoom } from './share.ts'
import type { CacheTable } from './table.ts'

/** Returns whether all is done that was due. */
export function expire(table: CacheTable, ctx: ApplyContext): boolean {
  let left: number = MACHINE_LIMITS.sweepMax
  for (const cache of table.crowded()) left -= evict(table, cache, null, ctx.time, left)
  left -= makeRoom(table, null, ctx.time, left)
  left -= expireLoads(table, ctx, left)
  for (; left > 0; left--) {
    const entry = table.expiry.first()
    if (entry === null || entry.deadline > ctx.time) break
    endLife(table, ctx, entry)
  }
  return table.nextDeadline() > ctx.time
}

/** Its time is over. */
export function endLife(table: CacheTable, ctx: ApplyContext, entry: Entry): void {
  if (entry.isStale || entry.staleMs === 0) {
    table.remove(entry, 'expire', ctx.time)
    return
  }
  const previous = table.before(entry, ctx.time)
  entry.isStale = true
  entry.cache.staleEntries += 1
  entry.deadline += entry.staleMs
  table.useChanged(entry)
  table.note(entry.line, table.nextVersion(), 'expire', previous)
}
