/**
 * Judges what a scan of all segments found. Only the last batch can be torn by a crash, because a batch starts only after
 * the fsync of the one before. So:
 *
 *   batches:  1 ✓  2 ✓  3 ✗  4 ✓  5 ✗(last)
 *                        │         └─ torn tail: cut, nobody was promised anything of it
 *                        └─ corruption: something after it proves that it was once durable
 *
 * A batch is whole when its marker and every record that the marker counts are good. Of a batch that is not whole and not
 * the last, the marker (if good) says which groups it held; without it every group is suspect that no later record of
 * contiguous sequence clears. A last batch whose only bad bytes rotted later looks torn: with one copy nobody can tell.
 */
import type { GroupId } from '../../base/ids.ts'
import {
  type BatchContents,
  KIND_CREATE,
  KIND_DAMAGED,
  KIND_MARKER,
  KIND_REMOVE,
  KIND_STATE,
  type RawRecord,
  decodeMarker,
} from './record.ts'
import type { FoundRecord, ScannedSegment } from './scan.ts'
import { SEGMENT_HEADER_BYTES } from './segment.ts'

export interface Batch {
  readonly number: number
  readonly segment: number
  readonly records: FoundRecord[]
  marker: RawRecord | null
  /** Where the next batch begins. */
  end: number
  whole: boolean
}

export interface Verdict {
  /** All but the torn one, in order. A damaged one counts for the groups that are not damaged. */
  readonly batches: readonly Batch[]
  /** The torn batch, if any: where its segment is to be cut. */
  readonly torn: { readonly segment: number; readonly at: number } | null
  readonly damaged: ReadonlySet<GroupId>
  /** Batches that were once durable are missing or damaged, whether or not anything is left to name a group that lost by it. */
  readonly holes: boolean
  readonly findings: readonly string[]
  readonly nextBatch: number
}

export function judge(segments: readonly ScannedSegment[]): Verdict {
  const batches = collect(segments)
  const torn = findTorn(segments, batches)
  const kept = torn?.batch ? batches.filter((batch) => batch !== torn.batch) : batches
  const findings: string[] = []
  const holes = findHoles(segments, kept, torn, findings)
  if (torn) findings.push(`segment ${torn.segment}: torn tail cut at ${torn.at}`)
  return {
    batches: kept,
    torn: torn ? { segment: torn.segment, at: torn.at } : null,
    damaged: findDamaged(kept, holes, firstWithBatches(segments)),
    holes: holes.length > 0,
    findings,
    nextBatch: kept.length > 0 ? after(kept.at(-1)?.number ?? 0) : (segments.at(-1)?.firstBatch ?? 1),
  }
}

/** Batch numbers are 32 bits and wrap. */
const after = (batch: number): number => (batch + 1) >>> 0

function collect(segments: readonly ScannedSegment[]): Batch[] {
  const batches: Batch[] = []
  for (const { number: segment, records } of segments) {
    for (const found of records) {
      const { record } = found
      let batch = batches.at(-1)
      if (!batch || batch.number !== record.batch || batch.segment !== segment) {
        batch = { number: record.batch, segment, records: [], marker: null, end: found.end, whole: false }
        batches.push(batch)
      }
      batch.end = found.end
      if (record.kind === KIND_MARKER) batch.marker = record
      else batch.records.push(found)
    }
  }
  for (const batch of batches) batch.whole = isWhole(batch)
  return batches
}

function countsOf(records: readonly FoundRecord[]): BatchContents {
  const counts = new Map<GroupId, number>()
  for (const { record } of records) counts.set(record.group, (counts.get(record.group) ?? 0) + 1)
  return counts
}

/** The groups whose records in the batch are not all good; null where the marker that would tell is bad. */
function missingOf({ marker, records }: Batch): ReadonlySet<GroupId> | null {
  if (!marker) return null
  const counts = countsOf(records)
  return new Set([...decodeMarker(marker.payload)].filter(([group, count]) => counts.get(group) !== count).map(([group]) => group))
}

function isWhole(batch: Batch): boolean {
  return missingOf(batch)?.size === 0
}

interface Torn {
  readonly segment: number
  readonly at: number
  readonly batch: Batch | null
}

/** The last batch where it is not whole, or bad bytes after the last whole one, in the last segment only. */
function findTorn(segments: readonly ScannedSegment[], batches: readonly Batch[]): Torn | null {
  const last = segments.at(-1)
  if (!last) return null
  const batch = batches.at(-1)
  if (batch && batch.segment === last.number && !batch.whole) {
    const before = batches.at(-2)
    const inSame = before && before.segment === batch.segment
    return { segment: last.number, at: inSame ? before.end : SEGMENT_HEADER_BYTES, batch }
  }
  const end = batch?.segment === last.number ? batch.end : SEGMENT_HEADER_BYTES
  return last.bad.some((offset) => offset >= end) ? { segment: last.number, at: end, batch: null } : null
}

interface Hole {
  /** Position in `batches` before which the hole is. */
  readonly before: number
  /** The groups it can concern; null: nobody knows. */
  readonly groups: ReadonlySet<GroupId> | null
}

/** Batches that are missing or not whole. */
function findHoles(segments: readonly ScannedSegment[], batches: readonly Batch[], torn: Torn | null, findings: string[]): readonly Hole[] {
  const holes: Hole[] = []
  const hole = (before: number, groups: Hole['groups'], finding: string): void => {
    findings.push(finding)
    holes.push({ before, groups })
  }
  let expected = segments[0]?.firstBatch ?? batches[0]?.number ?? 1
  let at = 0
  for (const [position, { number, firstBatch }] of segments.entries()) {
    if (firstBatch === null) hole(at, null, `segment ${number}: damaged header`)
    else if (firstBatch !== expected)
      hole(at, null, `segment ${number}: expected to begin with batch ${expected}, begins with ${firstBatch}`)
    if (position > 0 && number !== (segments[position - 1]?.number ?? 0) + 1) hole(at, null, `segment ${number}: the one before is missing`)
    expected = firstBatch ?? expected
    for (let batch = batches[at]; batch && batch.segment === number; batch = batches[++at]) {
      if (batch.number !== expected) hole(at, null, `segment ${number}: expected batch ${expected}, found ${batch.number}`)
      if (!batch.whole) hole(at + 1, missingOf(batch), `segment ${number}: batch ${batch.number} is damaged before offset ${batch.end}`)
      expected = after(batch.number)
    }
  }
  if (torn?.batch && torn.batch.number !== expected) {
    hole(batches.length, null, `segment ${torn.segment}: expected batch ${expected}, found ${torn.batch.number}`)
  }
  return holes
}

/**
 * Where the log begins: a segment that was published just before a crash holds nothing, as the next one shows by beginning
 * with the same batch; and it may be the oldest that is left.
 */
function firstWithBatches(segments: readonly ScannedSegment[]): number {
  const first = segments.find(({ firstBatch }, at) => firstBatch === null || segments[at + 1]?.firstBatch !== firstBatch)
  return first?.number ?? 0
}

/** Whether a record is the first of its group that this log has to have: no record before it is missed. */
function beginsGroup({ kind }: RawRecord, segment: number, firstSegment: number): boolean {
  return kind === KIND_CREATE || (kind === KIND_STATE && segment === firstSegment)
}

/** Every group that a good record or a good marker names. */
function namedGroups(batches: readonly Batch[]): ReadonlySet<GroupId> {
  const named = new Set<GroupId>()
  for (const { records, marker } of batches) {
    for (const { record } of records) named.add(record.group)
    if (marker) for (const group of decodeMarker(marker.payload).keys()) named.add(group)
  }
  return named
}

/**
 * Groups with records that are missing. A group is cleared of a hole by its next record after it: in sequence, nothing of
 * it was lost; a `create` makes it new and a `remove` ends it, whatever was lost (of a damaged one the `remove` may be all
 * that is left). A hole without a later record condemns, and so does a record that says so.
 */
function findDamaged(batches: readonly Batch[], holes: readonly Hole[], firstSegment: number): ReadonlySet<GroupId> {
  const damaged = new Set<GroupId>()
  const suspects = new Set<GroupId>()
  const sequences = new Map<GroupId, number>()
  const everybody = holes.length > 0 ? namedGroups(batches) : new Set<GroupId>()
  const suspect = (at: number): void => {
    for (const { before, groups } of holes) if (before === at) for (const group of groups ?? everybody) suspects.add(group)
  }
  for (const [at, batch] of batches.entries()) {
    suspect(at)
    for (const { record } of batch.records) {
      const before = sequences.get(record.group)
      const expected = before === undefined || record.kind === KIND_STATE ? before : after(before)
      const inOrder = expected === undefined ? beginsGroup(record, batch.segment, firstSegment) : record.sequence === expected
      if (record.kind === KIND_CREATE || record.kind === KIND_REMOVE) damaged.delete(record.group)
      else if (!inOrder || record.kind === KIND_DAMAGED) damaged.add(record.group)
      suspects.delete(record.group)
      sequences.set(record.group, record.sequence)
    }
  }
  suspect(batches.length)
  for (const group of suspects) damaged.add(group)
  return damaged
}
