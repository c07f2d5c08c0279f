/**
 * Lines of entries that a node writes alone for a while, in caches with `writeback` (ADR 0006, 7). Who owns which is in the
 * log, with a number of its own: what an owner says later counts only while its number is the last one that was given out.
 *
 *   own ──▶ pinned: nothing evicts, expires or sweeps it ──flush, flush …──▶ release
 *
 * The versions of an ownership were taken from the counter when it was given, so they may be behind the changes around them:
 * the entry is at `version`, its change at a place `at` of its own.
 */
import type { Plain } from '../../actors/envelope.ts'
import { invalid, refuse } from '../../base/refusal.ts'
import type { ApplyContext } from '../../raft/machine.ts'
import { type Line, parseLine } from '../line-id.ts'
import type { LineId } from '../coherence/protocol.ts'
import type { CacheName } from '../types.ts'
import { type FlushCommand, MACHINE_LIMITS, type OwnCommand, type ReleaseCommand } from './commands.ts'
import { endLife } from './expiry.ts'
import { deadlineOf } from './life.ts'
import { yieldLoad } from './load.ts'
import { Ownership } from './owned-line.ts'
import { tooMany } from './quotas.ts'
import { flushed, owned, ownership, refused, released } from './replies.ts'
import { evict, makeRoom } from './share.ts'
import type { CacheTable } from './table.ts'

export function own(table: CacheTable, ctx: ApplyContext, { line, node, count, term }: OwnCommand): Plain {
  if (term !== ctx.term) return refused(refuse('FENCED', 'asked for by a home that is no more', { own: 0 }))
  const there = table.owned.get(line)
  if (there === undefined && table.owned.size >= MACHINE_LIMITS.ownedMax) return refused(tooMany('owned'))
  // What the owner writes has to find a place when it is flushed.
  if (there === undefined && !table.hasRoomFor([cacheOf(line)])) return refused(tooMany('caches'))
  const entry = table.entryOf(line)
  const noRoom = there === undefined ? table.room.pinRefusalOf(entry) : null
  if (noRoom !== null) return refused(noRoom)
  if (there !== undefined) {
    table.owned.delete(line)
    table.changes.removed(there)
  }
  table.lastOwn += 1
  table.countersChanged = true
  const made = new Ownership(line, node, table.lastOwn, table.lastVersion + 1, table.lastVersion + count)
  table.lastVersion += count
  table.changes.touched(made)
  table.owned.set(line, made)
  // Only who loads could see it, and that is over.
  if (entry?.isStale) table.drop(entry)
  else if (entry !== null) table.pin(entry, made.own)
  yieldLoad(table, ctx, line, owned(line, node, made.own))
  return ownership(made.own, made.versionFirst, made.versionMax)
}

export function flush(table: CacheTable, ctx: ApplyContext, command: FlushCommand): Plain {
  const { line, version, value } = command
  const there = table.owned.get(line)
  if (there === undefined || there.own !== command.own) {
    return refused(refuse('FENCED', 'the ownership is over', { own: there?.own ?? 0 }))
  }
  if (version <= there.flushed) return flushed(version, line)
  if (there.versionMax === 0) return refused(refuse('FENCED', 'the line was written since', { own: there.own }))
  if (version < there.versionFirst || version > there.versionMax) return refused(invalid('version', 'not one of this ownership'))
  const entry = table.entryOf(line)
  const { namespace, cache: name, name: key } = parseLine(line) as Line
  const noRoom = value === null ? null : table.room.refusalOf(key, { ...command, value }, entry)
  if (noRoom !== null) return refused(noRoom)
  const cache = entry?.cache ?? table.find({ namespace, cache: name }) ?? table.make({ namespace, cache: name }, command.share)
  if (cache === null) return refused(tooMany('caches'))
  there.flushed = version
  table.changes.touched(there)
  const previous = table.before(entry, ctx.time)
  const at = table.nextVersion()
  cache.limit(command.share)
  if (value === null) {
    if (entry !== null) table.drop(entry)
  } else {
    const { contentType, ttlMs, slidingMs, tags } = command
    const deadline = deadlineOf(ttlMs, slidingMs, ctx.time)
    table.place(cache, key, entry, { at, version, value: value.slice(), contentType, deadline, slidingMs, staleMs: 0, tags })
  }
  table.note(line, at, value === null ? 'delete' : 'put', previous, version, there.own)
  evict(table, cache, null, ctx.time)
  makeRoom(table, null, ctx.time)
  return flushed(version, at)
}

export function release(table: CacheTable, ctx: ApplyContext, command: ReleaseCommand): Plain {
  const { term } = command
  if (term !== 0 && term !== ctx.term) return refused(refuse('FENCED', 'asked for by a home that is no more', { own: 0 }))
  const there = table.owned.get(command.line)
  if (there === undefined || there.own !== command.own) return released(false)
  table.owned.delete(command.line)
  table.changes.removed(there)
  const entry = table.entryOf(command.line)
  if (entry !== null) {
    table.unpin(entry)
    // Who asks for the line is answered before the next entry of the log takes away what is due.
    if (entry.deadline <= ctx.time) endLife(table, ctx, entry)
    evict(table, entry.cache, entry, ctx.time)
    makeRoom(table, entry, ctx.time)
  }
  return released(true)
}

function cacheOf(line: LineId): CacheName {
  const { namespace, cache } = parseLine(line) as Line
  return { namespace, cache }
}
