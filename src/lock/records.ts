/**
 * The state as records of the key-value store. Same state, same bytes: values are tuples of fixed positions, numbers
 * and strings only, and nothing depends on the order in which things happened to be stored.
 *
 *   'c'                    [version, last token, last session]
 *   'g' + token            [version, namespace, name, mode, owner, session, proof, grantedAt, leaseMs, deadline, count, metadata]
 *   's' + number           [version, namespace, proof, name, ttlMs, lingers, deadline, metadata, (ending)]
 *   'w' + ticket           [version, namespace, session, proof, owner, since, waitMs, leaseMs, priority, reentrant, metadata, (name, mode)+]
 *
 * Numbers in keys are 8 bytes, big-endian: the store's order is the order of ids. Session 0: implicit.
 */
import type { Acquire, Item } from './codec.ts'
import type { LockTable, Record } from './table.ts'
import { Grant } from './grant.ts'
import { type Ending, Session } from './session.ts'
import type { Waiter } from './waiter.ts'
import type { ModeIndex } from './modes.ts'
import { packer } from './codec-packer.ts'

export const VERSION = 1
export const COUNTERS = 0x63
export const GRANT = 0x67
export const SESSION = 0x73
export const WAITER = 0x77

export type CountersTuple = readonly [version: number, lastToken: number, lastSession: number]
export type GrantTuple = readonly [
  version: number,
  namespace: string,
  name: string,
  mode: ModeIndex,
  owner: string,
  session: number,
  proof: string,
  grantedAt: number,
  leaseMs: number,
  deadline: number,
  count: number,
  metadata: string,
]
export type SessionTuple = readonly [
  version: number,
  namespace: string,
  proof: string,
  name: string,
  ttlMs: number,
  lingers: boolean,
  deadline: number,
  metadata: string,
  /** Only there while it ends. */
  ending?: Ending,
]
export type WaiterTuple = readonly [
  version: number,
  namespace: string,
  session: number,
  proof: string,
  owner: string,
  since: number,
  waitMs: number,
  leaseMs: number,
  priority: number,
  reentrant: boolean,
  metadata: string,
  ...items: readonly (string | ModeIndex)[],
]

export type Write = (key: Uint8Array, value: Uint8Array | null) => void

/** Writes everything that changed since the last time. */
export function drainRecords(table: LockTable, write: Write): void {
  if (table.countersChanged) {
    table.countersChanged = false
    write(Uint8Array.of(COUNTERS), packer.pack([VERSION, table.lastToken, table.lastSession]))
  }
  table.changes.drain((record, gone) => write(keyOf(record), gone ? null : valueOf(record)))
}

function keyOf(record: Record): Uint8Array {
  if (record instanceof Grant) return numberKey(GRANT, record.token)
  if (record instanceof Session) return numberKey(SESSION, record.number)
  return numberKey(WAITER, record.ticket)
}

function numberKey(kind: number, number: number): Uint8Array {
  const key = new Uint8Array(9)
  key[0] = kind
  let high = Math.floor(number / 0x100000000)
  let low = number >>> 0
  for (let at = 8; at > 4; at--, low >>>= 8) key[at] = low
  for (let at = 4; at > 0; at--, high >>>= 8) key[at] = high
  return key
}

/** The number of a key that `numberKey` made. */
export function numberOf(key: Uint8Array): number {
  let number = 0
  for (let at = 1; at < 9; at++) number = number * 256 + (key[at] as number)
  return number
}

function valueOf(record: Record): Uint8Array {
  if (record instanceof Grant) return packer.pack(grantTuple(record))
  if (record instanceof Session) {
    const { namespace, proof, name, ttlMs, lingers, deadline, metadata, ending } = record
    const tuple: SessionTuple = [VERSION, namespace, proof, name, ttlMs, lingers, deadline, metadata]
    return packer.pack(ending === null ? tuple : [...tuple, ending])
  }
  return packer.pack(waiterTuple(record))
}

function grantTuple(grant: Grant): GrantTuple {
  const { lock, mode, owner, session, proof, grantedAt, leaseMs, deadline, count, metadata } = grant
  const number = session === null ? 0 : session.number
  return [VERSION, lock.namespace, lock.name, mode, owner, number, proof, grantedAt, leaseMs, deadline, count, metadata]
}

function waiterTuple(waiter: Waiter): WaiterTuple {
  const { namespace, proof, owner, waitMs, leaseMs, priority, reentrant, metadata, items } = waiter.request
  const number = waiter.session === null ? 0 : waiter.session.number
  const own = number === 0 ? proof : ''
  const flat = items.flatMap(({ name, mode }) => [name, mode])
  return [VERSION, namespace, number, own, owner, waiter.since, waitMs, leaseMs, priority, reentrant, metadata, ...flat]
}

const WAITER_HEAD = 11

/** The request of a waiter's record. */
export function requestOf(tuple: WaiterTuple): Acquire {
  const [, namespace, , proof, owner, , waitMs, leaseMs, priority, reentrant, metadata] = tuple
  const items: Item[] = []
  for (let at = WAITER_HEAD; at < tuple.length; at += 2) items.push({ name: tuple[at] as string, mode: tuple[at + 1] as ModeIndex })
  return { type: 'lock_acquire', namespace, session: '', proof, owner, waitMs, leaseMs, priority, reentrant, metadata, items }
}
