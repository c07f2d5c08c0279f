/**
 * The caches of a partition as a replicated state machine: the table of contents of this folder.
 *
 *   advance ──▶ expiry             commands ──▶ codec, decode ──▶ write | lines | holders
 *                                                                   └──▶ share: what has to go
 *
 *   table ── cache ── entry        tag-index: entries by what keeps them alive        policy, list: who was used lately
 *   note ──▶ journal, observer     drain: records          read: what a line holds, for the directory of the leader
 *
 * Invariants after every call are asserted by `check`.
 */
import type { Plain } from '../../actors/envelope.ts'
import type { Millis, NodeId } from '../../base/ids.ts'
import type { ApplyContext, StateMachine } from '../../raft/machine.ts'
import type { Held, LineId } from '../coherence/protocol.ts'
import { checkTable } from './check.ts'
import type { CacheCommand } from './commands.ts'
import { decodeCommand } from './decode.ts'
import { expire } from './expiry.ts'
import { hold } from './holders.ts'
import type { Change } from './journal.ts'
import { bump, configure } from './lines.ts'
import { Loader } from './loader.ts'
import { answer } from './queries.ts'
import { drainRecords } from './records.ts'
import { refused } from './replies.ts'
import { type CacheObserver, CacheTable } from './table.ts'
import { deleteEntry, incrementEntry, putEntry, touchEntries } from './write.ts'

export interface CacheMachineOptions {
  /** Hears every change of a line. No part of the state. */
  readonly observer?: CacheObserver
}

export interface CacheMachineStats {
  readonly caches: number
  /** Those that can be read. */
  readonly entries: number
  readonly bytes: number
  readonly evictions: number
  /** Tags and levels that were ever invalidated. */
  readonly markers: number
  readonly version: number
}

export interface CacheMachine extends StateMachine {
  /** What the line holds now, as applied here; `time`: cluster time. What is overdue but not taken away yet is still a value. */
  read(line: LineId, time: Millis): Held
  /** Who may hold copies of lines of this partition, sorted. */
  holders(): readonly NodeId[]
  /** The last change. */
  readonly version: number
  /** What changed after this place (`at` of a change), the oldest first; null: too long ago. */
  changesSince(at: number): readonly Change[] | null
  stats(): CacheMachineStats
}

export function createCacheMachine({ observer }: CacheMachineOptions = {}): CacheMachine {
  let table = new CacheTable(observer ?? null)
  let loader = new Loader(table)
  // For `check` alone: when `advance` ran last, and whether something may be due before it runs again.
  let lastTime = 0
  let paced = false

  return {
    apply(ctx, _ticket, bytes) {
      const command = decodeCommand(bytes)
      if (command.type === 'refused') return refused(command)
      const reply = execute(table, ctx, command)
      paced ||= table.crowded().length > 0
      return reply
    },
    cancel() {},
    advance(ctx) {
      lastTime = ctx.time
      paced = !expire(table, ctx)
    },
    nextDeadline: () => table.nextDeadline(),
    query: (request) => answer(table, request),
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
    loaded: () => loader.finish(),
    reset() {
      table = new CacheTable(observer ?? null)
      loader = new Loader(table)
    },
    check: () => checkTable(table, lastTime, paced),
    read: (line, time) => table.read(line, time),
    holders: () => [...table.holders.keys()].sort(),
    get version() {
      return table.lastVersion
    },
    changesSince: (at) => table.journal.since(at),
    stats: () => statsOf(table),
  }
}

function execute(table: CacheTable, ctx: ApplyContext, command: CacheCommand): Plain {
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
      return hold(table, command)
    default:
      return refused({ type: 'refused', code: 'INVALID_ARGUMENT', message: 'not a command of this version', details: {} })
  }
}

function statsOf(table: CacheTable): CacheMachineStats {
  let [entries, evictions] = [0, 0]
  for (const cache of table.byNumber.values()) {
    entries += cache.entries.size - cache.staleEntries
    evictions += cache.evictions
  }
  const { bytes, lastVersion: version } = table
  return { caches: table.byNumber.size, entries, bytes, evictions, markers: table.markers.size, version }
}
