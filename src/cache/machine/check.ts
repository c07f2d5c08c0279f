/**
 * The invariants of the cache machine, asserted over the whole state. For tests and the simulator.
 *
 *  (1) what is counted is what is there      (2) nothing overdue is alive      (3) no cache holds more than its share, nor all of them
 *  (4) versions and stamps are below their counters, and rise in their lists      (5) every index agrees with the entries
 */
import { assert } from '../../base/assert.ts'
import type { Millis } from '../../base/ids.ts'
import { utf8Length } from '../../base/utf8.ts'
import type { Cache } from './cache.ts'
import type { Entry } from './entry.ts'
import { heaviestOf, weightOf } from './room.ts'
import type { CacheTable } from './table.ts'
import { GROUP_BYTES, type TagGroup } from './tag-index.ts'

/** `time`: of the last apply. `paced`: the last `advance` left something due for the next entry, or a command made it due. */
export function checkTable(table: CacheTable, time: Millis, paced: boolean): void {
  table.expiry.check()
  let [bytes, weight, mortal, dirtyBytes] = [0, 0, 0, 0]
  const carried = new Set<string>()
  for (const cache of table.byNumber.values()) {
    assert(table.find({ namespace: cache.namespace, cache: cache.name }) === cache, 'a cache is not found under its name')
    assert(cache.number <= table.lastCache, '(4) a cache above the counter')
    checkCache(table, cache)
    bytes += cache.bytes
    weight += cache.weight
    for (const entry of cache.entries.values()) {
      if (entry.place >= 0) mortal += 1
      dirtyBytes += entry.dirtyBytes
      for (const { line } of entry.tags) carried.add(line)
      assert(paced || entry.own !== 0 || entry.deadline > time, '(2) something overdue is alive')
    }
    assert(!cache.isCrowded || table.crowded().includes(cache), '(3) a cache holds more than its share, and nobody knows')
    assert(paced || !cache.isCrowded, '(3) a cache holds more than its share')
  }
  checkRoom(table, weight)
  assert(paced || !table.room.isOver, '(3) the caches hold more than there is room for')
  table.loads.check()
  for (const load of table.loads.byLine.values()) assert(load.token <= table.lastToken, '(4) a token above the counter')
  let given = 0
  for (const [line, { own, versionMax }] of table.owned) {
    const entry = table.entryOf(line)
    assert(own > given, '(4) ownerships rise')
    given = own
    assert(own <= table.lastOwn && versionMax <= table.lastVersion, '(4) an ownership above the counter')
    assert(entry === null || (entry.own === own && !entry.isStale), '(5) what is owned is pinned')
    assert(!table.loads.byLine.has(line), 'what is owned is not loaded')
  }
  assert(bytes === table.bytes, '(1) the bytes of all caches')
  assert(mortal === table.expiry.size, '(5) what has a deadline is among the deadlines')
  assert(dirtyBytes === table.dirtyBytes, '(1) the bytes that a drain writes')
  assert(carried.size === table.tags.size, '(5) the lines that entries carry')
  for (const marker of table.markers.values()) {
    assert(marker.version > 0 && marker.version <= table.lastVersion && marker.unsweptSince <= marker.version, '(4) a marker')
    assert((table.unswept.get(marker.line) === marker) === marker.unsweptSince > 0, '(5) what is to be swept is known of')
  }
  for (const config of table.configs.values()) assert(config.version > 0 && config.version <= table.lastVersion, '(4) a configuration')
}

/** `weight`: of all caches. */
function checkRoom({ room, tags, byNumber }: CacheTable, weight: number): void {
  room.check()
  let [lines, pinned] = [0, 0]
  const groups = new Set<TagGroup>()
  for (const cache of byNumber.values()) {
    assert(room.has(cache), '(5) a cache is among those that give')
    for (const entry of cache.entries.values()) {
      if (entry.own !== 0) pinned += heaviestOf(entry)
      for (const group of entry.tags) groups.add(group)
    }
  }
  for (const { line } of groups) lines += GROUP_BYTES + line.length
  assert(lines === tags.bytes, '(1) what the lines of tags take')
  assert(room.bytes === weight + lines && room.pinnedBytes === pinned, '(1) what all entries weigh')
}

function checkCache(table: CacheTable, cache: Cache): void {
  cache.ages.check()
  cache.policy.check()
  let [bytes, weight, loose, stale, free, at, used] = [0, 0, 0, 0, 0, 0, 0]
  for (const entry of cache.ages) {
    assert(cache.entries.get(entry.key) === entry, '(5) an entry is not found under its key')
    assert(entry.at > at && entry.version <= entry.at && entry.at <= table.lastVersion, '(4) changes rise')
    at = entry.at
    bytes += entry.bytes
    weight += weightOf(entry)
    if (entry.isStale) stale += 1
    if (entry.own === 0) {
      free += 1
      loose += weightOf(entry)
    }
    assert(entry.own === (table.owned.get(entry.line)?.own ?? 0), '(5) what is pinned is owned')
    checkEntry(table, entry)
  }
  const inPolicy = new Set(cache.policy.entries())
  for (const entry of inPolicy) assert(entry.cache === cache && entry.own === 0, '(5) an entry of another cache')
  for (const entry of cache.entries.values()) used = Math.max(used, entry.used)
  assert(used <= table.lastUsed, '(4) a use above the counter')
  assert(inPolicy.size === free && cache.policy.size === free, '(5) the policy has every entry that can go, once')
  assert(cache.ages.size === cache.entries.size, '(5) the entries of a cache')
  assert(weight === cache.weight && loose === cache.looseBytes, '(1) what a cache weighs')
  assert(bytes === cache.bytes && stale === cache.staleEntries, '(1) the bytes of a cache')
}

function checkEntry(table: CacheTable, entry: Entry): void {
  assert(entry.bytes === utf8Length(entry.key) + entry.value.length, '(1) the bytes of an entry')
  assert(table.expiry.has(entry) === (entry.deadline < Infinity && entry.own === 0), '(5) a deadline is known of, and only then')
  assert(entry.dirtyBytes === (entry.dirtyAt >= 0 ? entry.value.length : 0), '(1) the bytes of an entry to be written')
  assert(entry.dirtyAt < 0 || entry.use === null, '(5) an entry that is written anew has its use in it')
  for (const { line, version, entries } of entry.tags) {
    assert(entries.has(entry), '(5) an entry is found by its tags')
    assert(line !== '' && version >= 0, 'a tag without a line')
  }
  for (const { entries } of entry.tags) {
    let last = 0
    for (const other of entries) {
      assert(other.at > last, '(4) the entries of a tag rise')
      last = other.at
    }
  }
}
