/**
 * The caches of a partition as a replicated state machine: the table of contents of this folder.
 *
 *   advance ──▶ expiry             commands ──▶ codec, decode ──▶ write | lines | holders
 *             └▶ load                                               | invalidate | load | ownership
 *                                                                   └──▶ share: what has to go
 *
 *   table ── cache ── entry        tag-index: entries by what keeps them alive        policy, list: who was used lately
 *   note ──▶ journal, observer     drain: records          read: what a line holds, for the directory of the leader
 *
 * Invariants after every call are asserted by `check`.
 */
import type { Plain } from '../../actors/envelope.ts'
import type { Millis, NodeId } from '../../base/ids.ts'
import type { Refused } from '../../base/refusal.ts'
import type { ApplyContext, StateMachine } from '../../raft/machine.ts'
import type { Held, LineId } from '../coherence/protocol.ts'
import { checkTable } from './check.ts'
import type { CacheCommand, PutCommand } from './commands.ts'
import { decodeCommand } from './decode.ts'
import { expire } from './expiry.ts'
import { hold } from './holders.ts'
import { invalidateKeys, sweep } from './invalidate.ts'
import type { Change } from './journal.ts'
import { bump, configure, markSwept } from './lines.ts'
import { giveUp, loadEntry } from './load.ts'
import { Loader } from './loader.ts'
import { flush, own, release } from './ownership.ts'
import { answer } from './queries.ts'
import { drainRecords } from './records.ts'
import { attachValue, begun, foundIn, refused } from './replies.ts'
import { limit, setRoom } from './share.ts'
import { type CacheObserver, CacheTable } from './table.ts'
import { deleteEntry, incrementEntry, putEntry, refusalOfPuts, touchEntries } from './write.ts'

/** Nothing was applied yet since the records were loaded. */
const UNKNOWN: Millis = -1

export interface CacheMachineOptions {
  /** Hears every change of a line. No part of the state. */
  readonly observer?: CacheObserver
}

export interface CacheMachineStats {
  readonly caches: number
  /** Those that can be read. */
  readonly entries: number
  /** Of keys and values. */
  readonly bytes: number
  /** What all entries take in memory, what they may, and what of it is a node's alone and cannot go. */
  readonly memoryBytes: number
  readonly memoryBytesMax: number
  readonly pinnedBytes: number
  readonly evictions: number
  /** Tags and levels that were ever invalidated. */
  readonly markers: number
  readonly version: number
}

/** Who writes a line alone, and with which versions. */
export interface OwnerView {
  readonly line: LineId
  readonly node: NodeId
  readonly own: number
  readonly versionFirst: number
  readonly versionMax: number
}

/** Of a line: what carries one of its versions from `since` on, and an older one than `version`, may be there still. */
export interface Unswept {
  readonly since: number
  readonly version: number
}

export interface CacheMachine extends StateMachine {
  /** At once: the value that a load has found, where it is still there. */
  attach(reply: Plain): Plain
  /** What the line holds now, as applied here; `time`: cluster time. What is overdue but not taken away yet is still a value. */
  read(line: LineId, time: Millis): Held
  /** Who may hold copies of lines of this partition, sorted. */
  holders(): readonly NodeId[]
  /** Lines that a node writes alone, in the order in which they were given. */
  owners(): readonly OwnerView[]
  /** One after the other, beside what changes. */
  eachOwned(): Iterator<OwnerView>
  ownerOf(line: LineId): OwnerView | null
  /** Tags and levels that were invalidated, and are not known to be swept. */
  unswept(): readonly LineId[]
  /** Null: it is swept. */
  unsweptOf(line: LineId): Unswept | null
  /** The last change, or the last version that an ownership was given. */
  readonly version: number
  /** What changed after this place (`at` of a change), the oldest first; null: too long ago. */
  changesSince(at: number): readonly Change[] | null
  /** Why one of these would find no room, though nothing else stood in its way; null: each of them finds some. */
  refusalOfPuts(puts: readonly PutCommand[]): Refused | null
  /** What the lines of those caches' entries begin with that will have to let something go before long. */
  nearlyFull(): readonly LineId[]
  /** What the entries of all caches may take in memory, as the log says; ROOM_UNBOUNDED: whatever there is. */
  readonly roomBytes: number
  stats(): CacheMachineStats
}

export function createCacheMachine({ observer }: CacheMachineOptions = {}): CacheMachine {
  let table = new CacheTable(observer ?? null)
  let loader = new Loader(table)
  // When `advance` ran last; for `check` alone, whether something may be due before it runs again.
  let lastTime = UNKNOWN
  let paced = false

  return {
    apply(ctx, ticket, bytes) {
      const command = decodeCommand(bytes)
      if (command.type === 'refused') return refused(command)
      const reply = execute(table, ctx, ticket, command)
      paced ||= table.nextDeadline() <= lastTime
      return reply
    },
    cancel(ctx, ticket) {
      const waiter = table.loads.waiters.get(ticket)
      if (waiter !== undefined) giveUp(table, ctx, waiter)
    },
    advance(ctx) {
      lastTime = ctx.time
      paced = !expire(table, ctx)
    },
    nextDeadline: () => table.nextDeadline(),
    query: (request) => answer(table, request),
    attach: (reply) => attach(table, reply, lastTime),
    get stateBytes() {
      return table.bytes
    },
    get dirty() {
      return table.changes.size + (table.countersChanged ? 1 : 0)
    },
    get dirtyBytes() {
      return table.dirtyBytes
    },
    drain: (write) => drainRecords(table, write),
    load: (key, value) => loader.load(key, value),
    loaded() {
      loader.finish()
      paced = table.nextDeadline() <= Math.max(0, lastTime)
    },
    reset() {
      table = new CacheTable(observer ?? null)
      loader = new Loader(table)
      lastTime = UNKNOWN
    },
    check: () => checkTable(table, Math.max(0, lastTime), paced),
    read: (line, time) => table.read(line, time),
    holders: () => [...table.holders.keys()].sort(),
    owners: () => [...table.owned.values()].sort((a, b) => a.own - b.own),
    eachOwned: () => table.owned.values(),
    ownerOf: (line) => table.owned.get(line) ?? null,
    unswept: () => [...table.unswept.keys()],
    unsweptOf(line) {
      const marker = table.unswept.get(line)
      return marker === undefined ? null : { since: marker.unsweptSince, version: marker.version }
    },
    get version() {
      return table.lastVersion
    },
    changesSince: (at) => table.journal.since(at),
    refusalOfPuts: (puts) => refusalOfPuts(table, puts),
    nearlyFull: () => table.nearlyFull().map(({ linePrefix }) => linePrefix),
    get roomBytes() {
      return table.room.bytesMax
    },
    stats: () => statsOf(table),
  }
}

function execute(table: CacheTable, ctx: ApplyContext, ticket: number, command: CacheCommand): Plain | null {
  switch (command.type) {
    case 'cache_put':
      return putEntry(table, ctx, command)
    case 'cache_delete':
      return deleteEntry(table, ctx, command)
    case 'cache_increment':
      return incrementEntry(table, ctx, command)
    case 'cache_touch':
      return touchEntries(table, ctx, command)
    case 'cache_bump':
      return bump(table, command)
    case 'cache_configure':
      return configure(table, command)
    case 'cache_hold':
    case 'cache_unhold':
      return hold(table, ctx, command)
    case 'cache_invalidate_keys':
      return invalidateKeys(table, ctx, command)
    case 'cache_sweep':
      return sweep(table, ctx, command)
    case 'cache_swept':
      return markSwept(table, command)
    case 'cache_limits':
      return limit(table, ctx, command)
    case 'cache_begin':
      return begun()
    case 'cache_room':
      return setRoom(table, ctx, command)
    case 'cache_load':
      return loadEntry(table, ctx, ticket, command)
    case 'cache_own':
      return own(table, ctx, command)
    case 'cache_flush':
      return flush(table, ctx, command)
    case 'cache_release':
      return release(table, ctx, command)
  }
}

function attach(table: CacheTable, reply: Plain, time: Millis): Plain {
  const told = foundIn(reply)
  if (told === null) return reply
  const entry = table.entryOf(told.line)
  if (time === UNKNOWN || entry?.version !== told.version || entry.isStale !== told.isStale) return reply
  const { value, contentType } = entry
  return attachValue(reply, { value, contentType, ttlLeftMs: entry.isStale ? 0 : entry.ttlLeftMs(time) })
}

function statsOf(table: CacheTable): CacheMachineStats {
  let [entries, evictions] = [0, 0]
  for (const cache of table.byNumber.values()) {
    entries += cache.entries.size - cache.staleEntries
    evictions += cache.evictions
  }
  const { bytes, room, lastVersion: version } = table
  const memory = { memoryBytes: room.bytes, memoryBytesMax: room.bytesMax, pinnedBytes: room.pinnedBytes }
  return { caches: table.byNumber.size, entries, bytes, ...memory, evictions, markers: table.markers.size, version }
}
