/**
 * Reads one segment: the good records with where they are, and the stretches between them that are neither records nor
 * zeros. It judges nothing; `recover.ts` does.
 */
import { ALIGNMENT, type RawRecord, decodeRecord, recordBytes } from './record.ts'
import { SEGMENT_HEADER_BYTES, decodeHeader } from './segment.ts'

export interface FoundRecord {
  readonly offset: number
  readonly end: number
  readonly record: RawRecord
}

export interface ScannedSegment {
  readonly number: number
  /** null: the header is damaged. */
  readonly firstBatch: number | null
  readonly records: readonly FoundRecord[]
  /** Offsets where a record should have begun but did not. */
  readonly bad: readonly number[]
}

export function scanSegment(bytes: Buffer, number: number): ScannedSegment {
  const records: FoundRecord[] = []
  const bad: number[] = []
  let offset = SEGMENT_HEADER_BYTES
  let lost = false
  while (offset < bytes.length) {
    const record = decodeRecord(bytes, number, offset)
    if (record) {
      const end = offset + recordBytes(record.payload.length)
      records.push({ offset, end, record })
      offset = end
      lost = false
      continue
    }
    const next = nextNonZero(bytes, offset)
    if (next === -1) break
    if (!lost) bad.push(offset)
    lost = true
    offset = Math.max(offset + ALIGNMENT, next - (next % ALIGNMENT))
  }
  return { number, firstBatch: decodeHeader(bytes, number), records, bad }
}

function nextNonZero(bytes: Buffer, from: number): number {
  for (let at = from; at < bytes.length; at++) if (bytes[at] !== 0) return at
  return -1
}
