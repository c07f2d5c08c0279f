/**
 * Loading what is not there: one does it, the others wait.
 *
 *   nothing there ──▶ token, lease ──put with it──▶ who waits finds the value
 *                        │ another write of the key: the token is void, who waits finds that value
 *                        │ put with a condition that does not hold: as if nothing came
 *                        │ deleted, invalidated, no room, or the lease is over: the token is void, the next in line gets one
 */
import type { Plain } from '../../actors/envelope.ts'
import { type Refused, refuse } from '../../base/refusal.ts'
import type { ApplyContext } from '../../raft/machine.ts'
import type { LineId } from '../coherence/protocol.ts'
import { lineOf } from '../line-id.ts'
import type { EntryName } from '../types.ts'
import { type LineVersion, type LoadCommand, MACHINE_LIMITS, type PutCommand } from './commands.ts'
import type { Entry } from './entry.ts'
import { Load, LoadWaiter } from './loads.ts'
import { refuseOwned } from './owned-line.ts'
import { tooMany } from './quotas.ts'
import { found, load as granted, refused, stale } from './replies.ts'
import type { CacheTable } from './table.ts'

const { loadLeaseMs, loadsMax, waitersPerLoadMax } = MACHINE_LIMITS

/** null: it waits. */
export function loadEntry(table: CacheTable, ctx: ApplyContext, ticket: number, command: LoadCommand): Plain | null {
  const { tags, waitMs } = command
  const line = lineOf(command)
  const ownedReply = refuseOwned(table, line, 0)
  if (ownedReply !== null) return ownedReply
  const entry = table.entry(command)
  const isValid = entry !== null && entry.version > command.dead && !isOutdated(entry, tags)
  if (isValid && !entry.isStale) return found(entry.version, line)
  const load = table.loads.find(line)
  if (load === undefined) {
    if (table.loads.size >= loadsMax) return refused(tooMany('loads'))
    return grant(table, ctx, command, tags, new Map())
  }
  if (isValid && command.staleOk) return stale(entry.version, line)
  if (waitMs === 0) return refused(busy(), [line])
  if (load.waiters.size >= waitersPerLoadMax) return refused(tooMany('waiters'))
  table.loads.wait(load, new LoadWaiter(command, tags, ctx.time + waitMs, ticket))
  return null
}

/** What the caller knows of a line is newer than what the entry carries. */
export function isOutdated(entry: Entry, tags: readonly LineVersion[]): boolean {
  return entry.tags.some((group) => tags.some(([line, version]) => line === group.line && version > group.version))
}

function grant(
  table: CacheTable,
  ctx: ApplyContext,
  name: EntryName,
  tags: readonly LineVersion[],
  waiters: Map<number, LoadWaiter>,
): Plain {
  table.lastToken += 1
  table.countersChanged = true
  const load = new Load(name, tags, ctx.time + loadLeaseMs, table.lastToken)
  load.waiters = waiters
  table.loads.begin(load)
  return granted(load.token, loadLeaseMs, load.line)
}

function busy(): Refused {
  return refuse('OWNER_BUSY', 'another loads it')
}

/** The load that a put names; else its refusal. */
export function loadOf(table: CacheTable, command: PutCommand): Load | Refused {
  const load = table.loads.find(lineOf(command))
  if (load !== undefined && load.token === command.loadToken) return load
  return refuse('STALE_TOKEN', 'the key was written or invalidated since the token was given, or its time is over')
}

/** What a loaded entry carries: of every line the version as of the grant, where there was one. */
export function tagsOfLoad(load: Load, tags: readonly LineVersion[]): readonly LineVersion[] {
  const known = new Map(load.tags)
  return [...load.tags, ...tags.filter(([line]) => !known.has(line))]
}

/**
 * The key has a value: its load is over, and who waits finds it; but not who came after an invalidation that this value has
 * not heard of. They go on waiting, for the first of them.
 */
export function endLoad(table: CacheTable, ctx: ApplyContext, entry: Entry): void {
  const load = table.loads.find(entry.line)
  if (load === undefined) return
  for (const waiter of load.waiters.values()) {
    if (isOutdated(entry, waiter.tags)) continue
    table.loads.unwait(waiter)
    ctx.settle(waiter.ticket, found(entry.version, load.line))
  }
  passOn(table, ctx, load.line)
}

/** The load of the line is over, and whoever waits for it gets this answer. */
export function yieldLoad(table: CacheTable, ctx: ApplyContext, line: LineId, reply: Plain): void {
  const load = table.loads.find(line)
  if (load === undefined) return
  for (const waiter of load.waiters.values()) {
    table.loads.unwait(waiter)
    ctx.settle(waiter.ticket, reply)
  }
  table.loads.end(load)
}

/** The token of the line's load counts no more; the next in line gets one. */
export function passOn(table: CacheTable, ctx: ApplyContext, line: LineId): void {
  const load = table.loads.find(line)
  if (load === undefined) return
  const next = load.waiters.values().next().value
  if (next !== undefined) table.loads.unwait(next)
  table.loads.end(load)
  if (next !== undefined) ctx.settle(next.ticket, grant(table, ctx, next.name, next.tags, load.waiters))
}

/** The caller of a waiting load is gone, or has waited enough. */
export function giveUp(table: CacheTable, ctx: ApplyContext, waiter: LoadWaiter): void {
  table.loads.unwait(waiter)
  ctx.settle(waiter.ticket, refused(busy(), [waiter.line]))
}

/** Leases that are over, and those who have waited enough, in the order of their times, at most so many; returns how many. */
export function expireLoads(table: CacheTable, ctx: ApplyContext, max: number): number {
  const { leases, patience } = table.loads
  for (let count = 0; count < max; count++) {
    const [load, waiter] = [leases.first(), patience.first()]
    const deadline = Math.min(load?.deadline ?? Infinity, waiter?.deadline ?? Infinity)
    if (deadline > ctx.time) return count
    if (load?.deadline === deadline) passOn(table, ctx, load.line)
    else if (waiter !== null) giveUp(table, ctx, waiter)
  }
  return max
}
