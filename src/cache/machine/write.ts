/** Writes of one key: put, delete, increment; and that keys were read. */
import type { Plain } from '../../actors/envelope.ts'
import type { Refused } from '../../base/refusal.ts'
import type { LineId } from '../coherence/protocol.ts'
import { lineOf } from '../line-id.ts'
import type { Condition, EntryName } from '../types.ts'
import type { ApplyContext } from '../../raft/machine.ts'
import {
  type DeleteCommand,
  type IncrementCommand,
  type LineVersion,
  MACHINE_LIMITS,
  type PutCommand,
  type TouchCommand,
} from './commands.ts'
import type { Entry } from './entry.ts'
import { SUM_TYPE, bytesOfSum, mismatchOf, sumOf } from './judge.ts'
import { deadlineOf, slidingDeadline } from './life.ts'
import { endLoad, isOutdated, loadOf, passOn, tagsOfLoad } from './load.ts'
import type { Load } from './loads.ts'
import { outrun, refuseOwned } from './owned-line.ts'
import { tooMany } from './quotas.ts'
import { deleted, incremented, nothingDeleted, put, refused, touched, unjudged } from './replies.ts'
import { evict, makeRoom } from './share.ts'
import type { CacheTable, NewContent } from './table.ts'

const NO_TAGS: readonly LineVersion[] = []
const UNJUDGED = 'unjudged'

export function putEntry(table: CacheTable, ctx: ApplyContext, command: PutCommand): Plain {
  const line = lineOf(command)
  const ownedReply = refuseOwned(table, line, command.own)
  if (ownedReply !== null) return ownedReply
  const current = alive(table.entry(command), command, command.tags)
  // Before its token is looked at: it is not used up.
  if (current === UNJUDGED) return unjudged()
  const load = command.loadToken === null ? null : loadOf(table, command)
  if (load !== null && 'code' in load) return refused(load, [line])
  const wrong = mismatch(command, command.condition, current)
  // Before the load is over: what is refused by its condition is no write, and its token counts as before.
  if (wrong !== null) return wrong
  const reply = putWith(table, ctx, command, current, load)
  // Who was to load it finds no room for it.
  if (load !== null && table.loads.find(line) === load) passOn(table, ctx, line)
  return reply
}

function putWith(table: CacheTable, ctx: ApplyContext, command: PutCommand, current: Entry | null, load: Load | null): Plain {
  const there = table.entry(command)
  const { contentType, ttlMs, slidingMs } = command
  const deadline = deadlineOf(ttlMs, slidingMs, ctx.time)
  const staleMs = load === null ? 0 : Math.min(ttlMs ?? slidingMs, MACHINE_LIMITS.staleMsMax)
  const tags = load === null ? command.tags : tagsOfLoad(load, command.tags)
  // A copy: the command lies in the memory of the frame that brought it.
  const value = command.value.slice()
  const version = write(table, ctx, command, there, { value, contentType, deadline, slidingMs, staleMs, tags })
  return typeof version === 'number' ? put(version, current === null) : refused(version)
}

export function deleteEntry(table: CacheTable, ctx: ApplyContext, command: DeleteCommand): Plain {
  const line = lineOf(command)
  const ownedReply = refuseOwned(table, line, command.own)
  if (ownedReply !== null) return ownedReply
  const there = table.entry(command)
  const current = alive(there, command, NO_TAGS)
  if (current === UNJUDGED) return unjudged()
  const wrong = mismatch(command, command.condition, current)
  if (wrong !== null) return wrong
  const version = there === null ? 0 : table.remove(there, 'delete', ctx.time)
  if (command.own !== 0) outrun(table, line)
  passOn(table, ctx, line)
  return current === null || version === 0 ? nothingDeleted(line) : deleted(version)
}

export function incrementEntry(table: CacheTable, ctx: ApplyContext, command: IncrementCommand): Plain {
  const line = lineOf(command)
  const ownedReply = refuseOwned(table, line, command.own)
  if (ownedReply !== null) return ownedReply
  const there = table.entry(command)
  const current = alive(there, command, command.tags)
  if (current === UNJUDGED) return unjudged()
  const value = sumOf(current?.value ?? null, command.by)
  if (typeof value !== 'number') return refused(value, [line])
  const kept = current === null ? null : lifeOf(current)
  const fresh = { deadline: deadlineOf(command.ttlMs, 0, ctx.time), slidingMs: 0, staleMs: 0, tags: command.tags }
  const content = { value: bytesOfSum(value), contentType: SUM_TYPE, ...(kept ?? fresh) }
  const version = write(table, ctx, command, there, content)
  return typeof version === 'number' ? incremented(version, value) : refused(version)
}

export function touchEntries(table: CacheTable, ctx: ApplyContext, command: TouchCommand): Plain {
  const cache = table.find(command)
  let count = 0
  for (const key of command.keys) {
    const entry = cache?.entries.get(key)
    if (entry === undefined || entry.isStale || entry.own !== 0) continue
    entry.cache.policy.wasUsed(entry)
    const deadline = slidingDeadline(entry.slidingMs, ctx.time)
    if (entry.slidingMs > 0 && deadline > entry.deadline && entry.deadline < Infinity) {
      entry.deadline = deadline
      table.useChanged(entry)
    }
    count += 1
  }
  return touched(count)
}

/** Puts content in the place of what is there, makes room for it, and tells; returns its version. Refused: nothing was done. */
function write(
  table: CacheTable,
  ctx: ApplyContext,
  name: PutCommand | IncrementCommand,
  there: Entry | null,
  content: Omit<NewContent, 'at' | 'version'>,
): number | Refused {
  const noRoom = table.room.refusalOf(name.key, content, there)
  if (noRoom !== null) return noRoom
  const cache = there?.cache ?? table.find(name) ?? table.make(name, name.share)
  if (cache === null) return tooMany('caches')
  const previous = table.before(there, ctx.time)
  const version = table.nextVersion()
  cache.limit(name.share)
  const { value, contentType, deadline, slidingMs, staleMs, tags } = content
  const entry = table.place(cache, name.key, there, { at: version, version, value, contentType, deadline, slidingMs, staleMs, tags })
  const { line } = entry
  if (name.own !== 0) outrun(table, line)
  table.note(line, version, 'put', previous, version, name.own)
  endLoad(table, ctx, entry)
  evict(table, cache, entry, ctx.time)
  makeRoom(table, entry, ctx.time)
  return version
}

/**
 * What a write meets: not what is stale, nor what was seen to be dead by its tags, nor what carries older versions of lines
 * than whoever writes knows: it came since they looked, from somebody who had looked before the invalidation.
 */
function alive(
  entry: Entry | null,
  { dead, known }: Pick<PutCommand, 'dead' | 'known'>,
  tags: readonly LineVersion[],
): Entry | null | typeof UNJUDGED {
  if (entry === null || entry.isStale || entry.version <= dead || isOutdated(entry, tags)) return null
  if (known === null || entry.tags.length === 0) return entry
  if (isOutdated(entry, known)) return null
  const isSeen = (carried: LineId): boolean => known.some(([line]) => line === carried) || tags.some(([line]) => line === carried)
  return entry.tags.every(({ line }) => isSeen(line)) ? entry : UNJUDGED
}

function mismatch(name: EntryName, condition: Condition, current: Entry | null): Plain | null {
  const refusal = mismatchOf(condition, current?.version ?? 0)
  return refusal === null ? null : refused(refusal, [lineOf(name)])
}

/** Why one of these would find no room, though nothing else stood in its way. */
export function refusalOfPuts(table: CacheTable, puts: readonly PutCommand[]): Refused | null {
  if (!table.hasRoomFor(puts)) return tooMany('caches')
  for (const command of puts) {
    const refusal = table.room.refusalOf(command.key, command, table.entry(command))
    if (refusal !== null) return refusal
  }
  return null
}

function lifeOf({ deadline, slidingMs, staleMs, tags }: Entry): Omit<NewContent, 'at' | 'version' | 'value' | 'contentType'> {
  return { deadline, slidingMs, staleMs, tags: tags.map(({ line, version }) => [line, version]) }
}
