/** Keeping a cache within its share: what its policy would miss least goes, a bounded number in one command. */
import type { Millis } from '../../base/ids.ts'
import type { Cache } from './cache.ts'
import { MACHINE_LIMITS } from './commands.ts'
import type { Entry } from './entry.ts'
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
