/**
 * The state as records of the key-value store. Same state, same bytes; numbers are varints, texts and bytes have their length
 * first, and every value begins with its version. An entry that was only used since it was written has a small record beside.
 *
 *   COUNTERS                last version, use, cache, token, ownership; the room of the partition, where it has a bound
 *   HOLDER      node        (nothing)                        CONFIG   line   version, config
 *   CACHE       number      namespace, name, share, evictions        MARKER   line   version; unswept since, where it is
 *   ENTRY       born        cache, key, version, at, slidingMs, staleMs, content type, tags, use, value
 *   USE         born        use: used, freq, queue, deadline + 1 (0: never), stale
 *   GHOSTS      cache page  hashes                           OWNERSHIP   line   node, own, first, max, flushed
 *   LOAD        token       namespace, cache, key, deadline, tags                   WAITER   ticket   the same
 */
import type { Plain } from '../../actors/envelope.ts'
import { ByteWriter } from '../../raft/bytes.ts'
import type { WriteRecord } from '../../raft/machine.ts'
import { writePlain } from '../../raft/plain.ts'
import { Cache } from './cache.ts'
import { SHARE_POLICIES } from './codes.ts'
import { Entry, EntryUse } from './entry.ts'
import { GhostPage } from './ghosts.ts'
import { COUNTERS } from './kinds.ts'
import { Load, LoadWaiter } from './loads.ts'
import { ConfigLine, Holder, Marker } from './marks.ts'
import { Ownership } from './owned-line.ts'
import { ROOM_UNBOUNDED } from './room.ts'
import type { Stored } from './stored.ts'
import type { CacheTable } from './table.ts'

export const VERSION = 1

const TEXT = new TextEncoder()
const out = new ByteWriter(2048)

/** Writes everything that changed since the last time. */
export function drainRecords(table: CacheTable, write: WriteRecord): void {
  if (table.countersChanged) {
    table.countersChanged = false
    out.u8(VERSION)
    numbers(table.lastVersion, table.lastUsed, table.lastCache, table.lastToken, table.lastOwn)
    if (table.room.bytesMax < ROOM_UNBOUNDED) out.varint(table.room.bytesMax)
    write(Uint8Array.of(COUNTERS), out.take())
  }
  table.changes.drain((record, gone) => {
    write(keyOf(record), gone ? null : valueOf(record))
    if (record instanceof Entry) record.dirtyBytes = 0
  })
  table.dirtyBytes = 0
}

function keyOf(record: Stored): Uint8Array {
  const { kind } = record
  if (record instanceof Entry) return numberKey(kind, record.born)
  if (record instanceof EntryUse) return numberKey(kind, record.entry.born)
  if (record instanceof Cache) return numberKey(kind, record.number)
  if (record instanceof Load) return numberKey(kind, record.token)
  if (record instanceof LoadWaiter) return numberKey(kind, record.ticket)
  if (record instanceof GhostPage) return pairKey(kind, record.cache, record.number)
  if (record instanceof Holder) return textKey(kind, record.node)
  return textKey(kind, (record as Marker | ConfigLine | Ownership).line)
}

function valueOf(record: Stored): Uint8Array {
  out.u8(VERSION)
  if (record instanceof Entry) writeEntry(record)
  else if (record instanceof EntryUse) writeUse(record.entry)
  else if (record instanceof Cache) writeCache(record)
  else if (record instanceof Load || record instanceof LoadWaiter) writeLoad(record)
  else if (record instanceof GhostPage) for (const hash of record.hashes) out.u32(hash)
  else if (record instanceof Ownership) writeOwnership(record)
  else if (record instanceof Marker) {
    out.varint(record.version)
    if (record.unsweptSince > 0) out.varint(record.unsweptSince)
  } else if (record instanceof ConfigLine) {
    out.varint(record.version)
    writePlain(out, record.config as unknown as Plain)
  }
  return out.take()
}

function writeCache({ namespace, name, share, evictions }: Cache): void {
  out.text(namespace)
  out.text(name)
  numbers(share.bytes, share.entries, SHARE_POLICIES.indexOf(share.policy), share.configVersion, evictions)
}

function writeEntry(entry: Entry): void {
  out.varint(entry.cache.number)
  out.text(entry.key)
  numbers(entry.version, entry.at, entry.slidingMs, entry.staleMs)
  out.text(entry.contentType)
  out.varint(entry.tags.length)
  for (const { line, version } of entry.tags) writeLineVersion(line, version)
  writeUse(entry)
  out.bytes(entry.value)
}

function writeUse({ used, freq, queue, deadline, isStale }: Entry): void {
  numbers(used, freq, queue, deadline === Infinity ? 0 : deadline + 1, isStale ? 1 : 0)
}

function writeLoad({ name, deadline, tags }: Load | LoadWaiter): void {
  out.text(name.namespace)
  out.text(name.cache)
  out.text(name.key)
  numbers(deadline, tags.length)
  for (const [line, version] of tags) writeLineVersion(line, version)
}

function writeLineVersion(line: string, version: number): void {
  out.text(line)
  out.varint(version)
}

function writeOwnership({ node, own, versionFirst, versionMax, flushed }: Ownership): void {
  out.text(node)
  numbers(own, versionFirst, versionMax, flushed)
}

function numbers(...values: readonly number[]): void {
  for (const value of values) out.varint(value)
}

/** Big-endian, so that the store's order is that of the numbers. */
function numberKey(kind: number, number: number): Uint8Array {
  const key = new Uint8Array(9)
  key[0] = kind
  setNumber(new DataView(key.buffer), 1, number)
  return key
}

function pairKey(kind: number, first: number, second: number): Uint8Array {
  const key = new Uint8Array(17)
  key[0] = kind
  const view = new DataView(key.buffer)
  setNumber(view, 1, first)
  setNumber(view, 9, second)
  return key
}

function setNumber(view: DataView, at: number, number: number): void {
  view.setUint32(at, Math.floor(number / 0x100000000))
  view.setUint32(at + 4, number >>> 0)
}

function textKey(kind: number, text: string): Uint8Array {
  return Uint8Array.of(kind, ...TEXT.encode(text))
}
