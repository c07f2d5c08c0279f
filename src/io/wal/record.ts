/**
 * Records of the write-ahead log as bytes.
 *
 *    0        4        8        12       16      17     18   20       24       32       40
 *    | crc    | length | group  | sequence| kind | type | 0  | batch  | term   | index  | payload … | zeros to 8 |
 *
 *  - `crc` covers everything after it and is seeded with the segment's number and the record's offset: a record that
 *    is found anywhere but where it was written (a misdirected write, an old block) is not a record.
 *  - Records begin at multiples of 8, so a scan can find the next good one behind damage.
 *  - `sequence` counts the records of one group: a gap proves that some are missing, none proves that none are. A `state`
 *    says nothing new, so it carries the count of the record before it.
 *  - `batch` numbers the batches; each ends with a `marker` that lists its groups and how many records each has.
 */
import { crc32 } from '../crc32.ts'

export const RECORD_HEADER_BYTES = 40
export const ALIGNMENT = 8

export const KIND_CREATE = 1
export const KIND_REMOVE = 2
export const KIND_ENTRY = 3
export const KIND_HARD_STATE = 4
export const KIND_SNAPSHOT = 5
/** What a group is at the beginning of a segment, so that the segments before can go. */
export const KIND_STATE = 6
export const KIND_MARKER = 7
/** The replica of the group is damaged: nothing of it before this counts. Repeated at the beginning of segments, as `state` is. */
export const KIND_DAMAGED = 8

/** The group of markers: no group at all. */
export const NO_GROUP = 0xffffffff

/** One record, as laid out above; the meaning of the fields is in `group-log.ts`. */
export interface RawRecord {
  readonly group: number
  readonly sequence: number
  readonly kind: number
  readonly type: number
  readonly batch: number
  readonly term: number
  readonly index: number
  readonly payload: Uint8Array
}

export function recordBytes(payloadBytes: number): number {
  return (RECORD_HEADER_BYTES + payloadBytes + ALIGNMENT - 1) & ~(ALIGNMENT - 1)
}

function seedOf(segment: number, offset: number): number {
  return (Math.imul(segment, 0x9e3779b1) ^ Math.imul(offset + 1, 0x85ebca6b)) >>> 0
}

/** Writes the record at `at` of `into`, which is (or will be) at `offset` of `segment`. Returns its length. */
export function encodeRecord(record: RawRecord, into: Buffer, at: number, segment: number, offset: number): number {
  const { payload } = record
  const length = recordBytes(payload.length)
  into.writeUInt32LE(payload.length, at + 4)
  into.writeUInt32LE(record.group, at + 8)
  into.writeUInt32LE(record.sequence, at + 12)
  into.writeUInt32LE(record.kind | (record.type << 8), at + 16)
  into.writeUInt32LE(record.batch, at + 20)
  into.writeDoubleLE(record.term, at + 24)
  into.writeDoubleLE(record.index, at + 32)
  into.set(payload, at + RECORD_HEADER_BYTES)
  into.fill(0, at + RECORD_HEADER_BYTES + payload.length, at + length)
  into.writeUInt32LE(crc32(into.subarray(at + 4, at + length), seedOf(segment, offset)), at)
  return length
}

/** The record at `offset` of the segment's bytes, or null where there is none. The payload is a view. */
export function decodeRecord(bytes: Buffer, segment: number, offset: number): RawRecord | null {
  if (offset + RECORD_HEADER_BYTES > bytes.length) return null
  const payloadBytes = bytes.readUInt32LE(offset + 4)
  const kind = bytes[offset + 16] ?? 0
  if (kind < KIND_CREATE || kind > KIND_DAMAGED) return null
  const end = offset + recordBytes(payloadBytes)
  if (payloadBytes > bytes.length || end > bytes.length) return null
  if (bytes.readUInt32LE(offset) !== crc32(bytes.subarray(offset + 4, end), seedOf(segment, offset))) return null
  return {
    group: bytes.readUInt32LE(offset + 8),
    sequence: bytes.readUInt32LE(offset + 12),
    kind,
    type: bytes[offset + 17] ?? 0,
    batch: bytes.readUInt32LE(offset + 20),
    term: bytes.readDoubleLE(offset + 24),
    index: bytes.readDoubleLE(offset + 32),
    payload: bytes.subarray(offset + RECORD_HEADER_BYTES, offset + RECORD_HEADER_BYTES + payloadBytes),
  }
}

/** What a marker says: the records of each group in its batch. */
export type BatchContents = ReadonlyMap<number, number>

export function encodeMarker(contents: BatchContents): Buffer {
  const payload = Buffer.alloc(contents.size * 8)
  let at = 0
  for (const [group, count] of contents) {
    payload.writeUInt32LE(group, at)
    payload.writeUInt32LE(count, at + 4)
    at += 8
  }
  return payload
}

export function decodeMarker(payload: Uint8Array): BatchContents {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  const contents = new Map<number, number>()
  for (let at = 0; at + 8 <= payload.length; at += 8) contents.set(view.getUint32(at, true), view.getUint32(at + 4, true))
  return contents
}
