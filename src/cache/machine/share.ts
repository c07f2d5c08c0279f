/** Keeping a cache within its share: what its policy would miss least goes, a bounded number in one command. */
import type { Plain } from '../../actors/envelope.ts'
import type { Millis } from '../../base/ids.ts'
import type { ApplyContext } from '../../raft/machine.ts'
import type { Cache } from './cache.ts'
import { type LimitsCommand, MACHINE_LIMITS } from './commands.ts'
import type { Entry } from './entry.ts'
import { limited } from './replies.ts'
import type { CacheTable } from './table.ts'

/** `spared`: what was just put. Returns how many are gone; what is too much for one command goes in those that follow. */
export function evict(table: CacheTable, cache: Cache, spared: Entry | null, time: Millis, max: number = MACHINE_LIMITS.sweepMax): number {
  let count = 0
  while (cache.isCrowded && count < max) {
    table.remove(cache.policy.victim(spared), 'evict', time)
    count += 1
  }
  if (count > 0) {
    cache.evictions += count
    table.changes.touched(cache)
  }
  table.look(cache)
  return count
}

/** The configuration of a cache has changed. */
export function limit(table: CacheTable, ctx: ApplyContext, command: LimitsCommand): Plain {
  const cache = table.find(command)
  cache?.limit(command.share)
  if (cache !== null) evict(table, cache, null, ctx.time)
  return limited()
}
