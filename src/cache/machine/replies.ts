/**
 * Replies of the machine: tuples, since every one of them waits in the group's request table for a possible repetition. Kinds
 * begin at 64: the partition's queues use those below.
 *
 *   [kind, gate, …]     gate: what the answer waits for before it leaves the leader: versions that it made or tells of, and
 *                       lines of which it tells that nothing is there; -v: whatever has changed before v
 *   [REFUSED, gate, code, message, details]      [OWNED, gate, line, node, own]      [UNJUDGED, gate]
 *   [PUT, gate, version, created]                [DELETED, gate, version, existed]      [INCREMENTED, gate, version, value]
 *   [TOUCHED, gate, n]    [BUMPED, gate]         [CONFIGURED, gate, version, created, config]
 *   [INVALIDATED, gate, removed, owned]          [SWEPT, gate, removed, more, after, below, owned]      [LIMITED | NOTED, gate]
 *   [FOUND | STALE, gate, version, line]         attached: [… , value, contentType, ttlLeftMs] after the line
 *   [LOAD, gate, token, leaseMs]                 [HELD, gate]                           [BEGUN, gate]
 *   [OWN, gate, own, first, last]                [FLUSHED, gate, version]               [RELEASED, gate, released]
 *
 * What was evicted or has expired is in no gate: nobody was promised that it stays or goes.
 */
import type { Plain } from '../../actors/envelope.ts'
import { assert } from '../../base/assert.ts'
import type { ErrorCode } from '../../base/errors.ts'
import type { Millis, NodeId } from '../../base/ids.ts'
import type { Refused } from '../../base/refusal.ts'
import type { LineId } from '../coherence/protocol.ts'
import type { CacheConfig } from '../types.ts'
import type { CacheReply, FoundValue } from './commands.ts'

const KIND_MIN = 64
const REFUSED = 64
const OWNED = 65
const PUT = 66
const DELETED = 67
const INCREMENTED = 68
const TOUCHED = 69
const BUMPED = 70
const CONFIGURED = 71
const INVALIDATED = 72
const SWEPT = 73
const LIMITED = 74
const FOUND = 75
const STALE = 76
const LOAD = 77
const HELD = 78
const OWN = 79
const FLUSHED = 80
const RELEASED = 81
const UNJUDGED = 82
const BEGUN = 83
const NOTED = 84

const FOUND_HEAD = 4
const NOTHING: readonly never[] = []

/** Versions, lines, and what has changed before a version, as its negative. */
export type GateList = readonly (number | LineId)[]

// ---- what the machine says ----

export function refused({ code, message, details }: Refused, gate: GateList = NOTHING): Plain {
  return [REFUSED, gate, code, message, details as Plain]
}

export function owned(line: LineId, node: NodeId, own: number): Plain {
  return [OWNED, NOTHING, line, node, own]
}

export function unjudged(): Plain {
  return [UNJUDGED, NOTHING]
}

export function put(version: number, created: boolean): Plain {
  return [PUT, [version], version, created]
}

export function deleted(version: number): Plain {
  return [DELETED, [version], version, true]
}

export function nothingDeleted(line: LineId): Plain {
  return [DELETED, [line], 0, false]
}

export function incremented(version: number, value: number): Plain {
  return [INCREMENTED, [version], version, value]
}

export function touched(count: number): Plain {
  return [TOUCHED, NOTHING, count]
}

export function bumped(versions: readonly number[]): Plain {
  return [BUMPED, versions]
}

export function configured(version: number, created: boolean, config: CacheConfig): Plain {
  return [CONFIGURED, [version], version, created, config as unknown as Plain]
}

export function invalidated(gate: GateList, removed: number, ownedKeys: readonly string[]): Plain {
  return [INVALIDATED, gate, removed, ownedKeys]
}

export interface Sweeping {
  readonly more: boolean
  readonly after: number
  readonly below: number
  readonly owned: readonly string[]
}

export function swept(versions: readonly number[], { more, after, below, owned: ownedKeys }: Sweeping): Plain {
  return [SWEPT, versions, versions.length, more, after, below, ownedKeys]
}

/** By name, not by a line: what it did not find any more was taken away before, and nodes may serve it still. */
export function sweptNames(versions: readonly number[], sweeping: Sweeping): Plain {
  const { more, after, below, owned: ownedKeys } = sweeping
  return [SWEPT, [...versions, -below], versions.length, more, after, below, ownedKeys]
}

export function noted(): Plain {
  return [NOTED, NOTHING]
}

export function limited(): Plain {
  return [LIMITED, NOTHING]
}

export function found(version: number, line: LineId): Plain {
  return [FOUND, [version], version, line]
}

/** It waits for what made it stale, or an older value could be read after it. */
export function stale(version: number, line: LineId): Plain {
  return [STALE, [line], version, line]
}

export function load(token: number, leaseMs: Millis, line: LineId): Plain {
  return [LOAD, [line], token, leaseMs]
}

export function begun(): Plain {
  return [BEGUN, NOTHING]
}

export function held(): Plain {
  return [HELD, NOTHING]
}

export function ownership(own: number, first: number, last: number): Plain {
  return [OWN, NOTHING, own, first, last]
}

/** `change`: its place among the changes, or the line where it had been flushed before. */
export function flushed(version: number, change: number | LineId): Plain {
  return [FLUSHED, [change], version]
}

export function released(isReleased: boolean): Plain {
  return [RELEASED, NOTHING, isReleased]
}

// ---- what the leader reads, and attaches ----

/** Whether a reply of a partition is one of its caches. */
export function isCacheReply(reply: Plain): boolean {
  return Array.isArray(reply) && typeof reply[0] === 'number' && reply[0] >= KIND_MIN
}

/**
 * What an owner flushed, or came too late to flush: nobody else learns anything from the answer, and a new home is silent until the
 * owner has it, for only then is what it held dropped. So it waits for nothing.
 */
export function isFlushed(reply: Plain): boolean {
  const [kind, , code] = reply as readonly Plain[]
  return kind === FLUSHED || (kind === REFUSED && code === 'FENCED')
}

/** Whether a line that the command meant to change may be as it was: refused, or nothing was there. */
export function maySpare(reply: Plain): boolean {
  const [kind, , , existed] = reply as readonly Plain[]
  return kind === REFUSED || kind === OWNED || kind === UNJUDGED || kind === INVALIDATED || (kind === DELETED && existed === false)
}

/** Those that an invalidation could not take away, for they are owned; of any other reply none. */
export function keysLeft(reply: Plain): readonly string[] {
  const [kind, , , keys] = reply as readonly Plain[]
  return kind === INVALIDATED ? (keys as readonly string[]) : []
}

export interface Gate {
  /** Changes that the answer tells of: it leaves once no node can serve what was before any of them. */
  readonly versions: readonly number[]
  /** It leaves once no node can serve anything of these lines but what they hold now. */
  readonly lines: readonly LineId[]
  /** The same for all that changed before this version; 0: none. */
  readonly below: number
}

/** What an answer waits for. */
export function gateOf(reply: Plain): Gate {
  const list = (reply as readonly Plain[])[1] as GateList
  const numbers = list.filter((item): item is number => typeof item === 'number')
  return {
    versions: numbers.filter((version) => version >= 0),
    below: Math.max(0, ...numbers.map((number) => -number)),
    lines: list.filter((item): item is LineId => typeof item === 'string'),
  }
}

/** Of a bare reply that tells of a value: which; null for any other. */
export function foundIn(reply: Plain): { readonly line: LineId; readonly version: number; readonly isStale: boolean } | null {
  const tuple = reply as readonly Plain[]
  if ((tuple[0] !== FOUND && tuple[0] !== STALE) || tuple.length > FOUND_HEAD) return null
  return { version: tuple[2] as number, line: tuple[3] as LineId, isStale: tuple[0] === STALE }
}

export function attachValue(reply: Plain, { value, contentType, ttlLeftMs }: FoundValue): Plain {
  return [...(reply as readonly Plain[]), value, contentType, ttlLeftMs]
}

// ---- what the gateway reads ----

export function decodeReply(reply: Plain): CacheReply {
  assert(isCacheReply(reply), 'a reply of the cache machine is a tuple')
  const [kind, gate, a, b, c, d, e] = reply as readonly Plain[]
  switch (kind) {
    case REFUSED:
      return { type: 'refused', code: a as ErrorCode, message: b as string, details: c as Readonly<Record<string, unknown>> }
    case OWNED:
      return { type: 'owned', line: a as LineId, node: b as NodeId, own: c as number }
    case UNJUDGED:
      return { type: 'unjudged' }
    case PUT:
      return { type: 'put', version: a as number, created: b as boolean }
    case DELETED:
      return { type: 'deleted', version: a as number, existed: b as boolean }
    case INCREMENTED:
      return { type: 'incremented', version: a as number, value: b as number }
    case TOUCHED:
      return { type: 'touched', touched: a as number }
    case BUMPED:
      return { type: 'bumped', versions: gate as number[] }
    case CONFIGURED:
      return { type: 'configured', version: a as number, created: b as boolean, config: c as unknown as CacheConfig }
    case INVALIDATED:
      return { type: 'invalidated', removed: a as number, owned: b as string[] }
    case SWEPT:
      return { type: 'swept', removed: a as number, more: b as boolean, after: c as number, below: d as number, owned: e as string[] }
    case NOTED:
      return { type: 'noted' }
    case LIMITED:
      return { type: 'limited' }
    case FOUND:
      return { type: 'found', version: a as number, value: valueIn(reply) }
    case STALE:
      return { type: 'stale', version: a as number, value: valueIn(reply) }
    case LOAD:
      return { type: 'load', token: a as number, leaseMs: b as Millis }
    case BEGUN:
      return { type: 'begun' }
    case HELD:
      return { type: 'held' }
    case OWN:
      return { type: 'own', own: a as number, versionFirst: b as number, versionMax: c as number }
    case FLUSHED:
      return { type: 'flushed', version: a as number }
    case RELEASED:
      return { type: 'released', released: a as boolean }
  }
  assert(false, `a reply of an unknown kind: ${String(kind)}`)
}

function valueIn(reply: Plain): FoundValue | null {
  const [, , , , value, contentType, ttlLeftMs] = reply as readonly Plain[]
  if (value === undefined) return null
  return { value: value as Uint8Array, contentType: contentType as string, ttlLeftMs: ttlLeftMs as Millis | null }
}
