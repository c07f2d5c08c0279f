/**
 * Taking entries away: keys by name at once, the bodies of what an invalidation killed a page at a time, so that no command
 * holds up the partition. What a node owns stays, and is told: it has to be given back first.
 *
 * Of a prefix or all goes what may be as old as the first page (`below`): an entry by the version it was made with, or what was owned by
 * then, for nobody knows what its owner has written. A line that is given to an owner later is what the log has of it: swept, or newer.
 */
import type { Plain } from '../../actors/envelope.ts'
import { invalid } from '../../base/refusal.ts'
import type { ApplyContext } from '../../raft/machine.ts'
import type { LineId } from '../coherence/protocol.ts'
import { type Line, entryLine, parseLine } from '../line-id.ts'
import type { Cache } from './cache.ts'
import { type InvalidateKeysCommand, MACHINE_LIMITS, type SweepCommand } from './commands.ts'
import type { Entry } from './entry.ts'
import { passOn } from './load.ts'
import type { Ownership } from './owned-line.ts'
import type { Load } from './loads.ts'
import { invalidated, refused, swept, sweptNames } from './replies.ts'
import type { CacheTable } from './table.ts'

const { sweepMax, sweepScanMax } = MACHINE_LIMITS

export function invalidateKeys(table: CacheTable, ctx: ApplyContext, { namespace, cache, keys }: InvalidateKeysCommand): Plain {
  const gate: (number | LineId)[] = []
  const owned: string[] = []
  let removed = 0
  for (const key of keys) {
    const line = entryLine(namespace, cache, key)
    if (table.owned.size > 0 && table.owned.has(line)) {
      owned.push(key)
      continue
    }
    const entry = table.entry({ namespace, cache, key })
    const version = entry === null ? 0 : table.remove(entry, 'invalidate', ctx.time)
    if (version > 0) removed += 1
    gate.push(version > 0 ? version : line)
    passOn(table, ctx, line)
  }
  return invalidated(gate, removed, owned)
}

export function sweep(table: CacheTable, ctx: ApplyContext, command: SweepCommand): Plain {
  const { what } = command
  const below = command.below > 0 || 'line' in what ? command.below : table.lastVersion + 1
  if (!('line' in what)) {
    const prefix = 'prefix' in what ? what.prefix : ''
    const lines = entryLine(command.namespace, command.cache, prefix)
    if (command.after === 0) fenceLoads(table, ctx, (load) => load.line.startsWith(lines))
    const cache = table.find(command)
    // With an entry or without. One that is owned since holds what the log had of it, which is found below, or what is newer.
    const isMeant = ({ versionFirst }: Ownership): boolean => versionFirst < below
    const { keys, more } = command.after === 0 ? ownedBelow(table, lines, isMeant) : { keys: [], more: false }
    // What is not told now would not be found later: from the beginning, once these are given back.
    if (more) return sweptNames([], { more, after: 0, below, owned: keys })
    if (cache === null) return sweptNames([], { more: false, after: command.after, below, owned: keys })
    return sweepPrefix(table, ctx, cache, prefix, { from: command.after, below, owned: keys })
  }
  const { line } = what
  const parsed = parseLine(line)
  if (parsed?.namespace !== command.namespace || parsed.cache !== command.cache) return refused(invalid('line', 'of another cache'))
  fenceLoads(table, ctx, ({ tags }) => tags.some(([carried, version]) => carried === line && version < below))
  // Where nothing was flushed yet no entry tells of them.
  const unseen = ownedBelow(table, entryLine(command.namespace, command.cache, ''), (owned) => table.entryOf(owned.line) === null)
  return sweepLine(table, ctx, line, below, unseen.keys)
}

interface OwnedKeys {
  readonly keys: string[]
  /** There are others. */
  readonly more: boolean
}

/** Keys of lines that nodes own, at most a page: of those owned first. */
function ownedBelow(table: CacheTable, lines: LineId, isMeant: (owned: Ownership) => boolean): OwnedKeys {
  const keys: string[] = []
  for (const [line, owned] of table.owned) {
    if (!line.startsWith(lines) || !isMeant(owned)) continue
    if (keys.length === sweepMax) return { keys: keys.sort(), more: true }
    keys.push((parseLine(line) as Line).name)
  }
  return { keys: keys.sort(), more: false }
}

/** Who loads what is being invalidated has begun too early. */
function fenceLoads(table: CacheTable, ctx: ApplyContext, isMeant: (load: Load) => boolean): void {
  const meant = [...table.loads.byLine.values()].filter(isMeant)
  for (const load of meant) passOn(table, ctx, load.line)
}

function sweepLine(table: CacheTable, ctx: ApplyContext, line: LineId, below: number, owned: string[]): Plain {
  const versions: number[] = []
  let [count, more] = [0, false]
  for (const entry of table.tags.olderThan(line, below)) {
    if (entry.own !== 0) {
      // It is found again with the next page: at most so many are told.
      if (owned.length < sweepMax) owned.push(entry.key)
      continue
    }
    more = count === sweepMax
    if (more) break
    count += 1
    take(table, ctx, entry, versions)
  }
  return swept(versions, { more, after: 0, below, owned })
}

interface Page {
  readonly from: number
  readonly below: number
  /** Told besides those that are met later. */
  readonly owned: string[]
}

function sweepPrefix(table: CacheTable, ctx: ApplyContext, cache: Cache, prefix: string, { from, below, owned }: Page): Plain {
  const versions: number[] = []
  let [count, taken, after, more] = [0, 0, from, false]
  for (const entry of cache.ages.since(from)) {
    more = count === sweepScanMax || taken === sweepMax
    if (more) break
    count += 1
    after = entry.at
    cache.ages.mark = entry
    // What was there before and changed since goes, too: it may have been made of what is invalidated.
    if (entry.born >= below || !entry.key.startsWith(prefix)) continue
    taken += 1
    if (entry.own === 0) take(table, ctx, entry, versions)
    // With the first page those that were owned before are told, and these besides.
    else if (from > 0 || isOwnedSince(table, entry, below)) owned.push(entry.key)
  }
  return sweptNames(versions, { more, after, below, owned })
}

function isOwnedSince(table: CacheTable, { line }: Entry, below: number): boolean {
  return (table.owned.get(line) as Ownership).versionFirst >= below
}

function take(table: CacheTable, ctx: ApplyContext, entry: Entry, versions: number[]): void {
  const version = table.remove(entry, 'invalidate', ctx.time)
  if (version > 0) versions.push(version)
}
