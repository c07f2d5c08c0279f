/**
 * Keeping a cache within its share, and all caches of the partition within its room: what the policies would miss least goes, a bounded
 * number in one command.
 */
import type { Plain } from '../../actors/envelope.ts'
import type { Millis } from '../../base/ids.ts'
import { refuse } from '../../base/refusal.ts'
import type { ApplyContext } from '../../raft/machine.ts'
import type { Cache } from './cache.ts'
import { type LimitsCommand, MACHINE_LIMITS, type RoomCommand } from './commands.ts'
import type { Entry } from './entry.ts'
import { limited, refused } from './replies.ts'
import type { CacheTable } from './table.ts'

/** `spared`: what was just put. Returns how many are gone; what is too much for one command goes in those that follow. */
export function evict(table: CacheTable, cache: Cache, spared: Entry | null, time: Millis, max: number = MACHINE_LIMITS.sweepMax): number {
  let count = 0
  while (cache.isCrowded && count < max) {
    evictOne(table, cache, spared, time)
    count += 1
  }
  table.look(cache)
  return count
}

/** The same over all caches: the one that holds most gives first, and `spared` last. */
export function makeRoom(table: CacheTable, spared: Entry | null, time: Millis, max: number = MACHINE_LIMITS.sweepMax): number {
  const { room } = table
  let [count, aside] = [0, null as Cache | null]
  while (count < max && room.isOver) {
    const cache = room.fattest() as Cache
    if (isAlone(cache, spared)) {
      room.leave((aside = cache))
      continue
    }
    evictOne(table, cache, spared, time)
    count += 1
  }
  if (aside === null) return count
  room.enter(aside)
  if (count === max || !room.isOver) return count
  evictOne(table, aside, null, time)
  return count + 1
}

/** Nothing else of the cache can go. */
function isAlone(cache: Cache, spared: Entry | null): boolean {
  return cache.policy.size === 1 && spared !== null && cache.entries.get(spared.key) === spared && spared.own === 0
}

function evictOne(table: CacheTable, cache: Cache, spared: Entry | null, time: Millis): void {
  table.remove(cache.policy.victim(spared), 'evict', time)
  cache.evictions += 1
  table.changes.touched(cache)
}

/** How much all caches of the partition may hold has changed: so says its home. */
export function setRoom(table: CacheTable, ctx: ApplyContext, { bytes, term }: RoomCommand): Plain {
  if (term !== ctx.term) return refused(refuse('FENCED', 'said by a home that is no more', {}))
  table.room.bytesMax = bytes
  table.countersChanged = true
  makeRoom(table, null, ctx.time)
  return limited()
}

/** The configuration of a cache has changed. */
export function limit(table: CacheTable, ctx: ApplyContext, command: LimitsCommand): Plain {
  const cache = table.find(command)
  cache?.limit(command.share)
  if (cache !== null) evict(table, cache, null, ctx.time)
  return limited()
}
