/**
 * What the log says of one group: the fold over its records. The writer keeps the summary of it (what a new segment
 * must begin with), recovery the whole.
 */
import type { GroupId, LogIndex, ReplicaId, Term } from '../../base/ids.ts'
import { KIND_CREATE, KIND_DAMAGED, KIND_ENTRY, KIND_HARD_STATE, KIND_REMOVE, KIND_SNAPSHOT, KIND_STATE, type RawRecord } from './record.ts'
import type { RecoveredGroup, WalRecord } from './wal.ts'

export interface SnapshotMark {
  readonly index: LogIndex
  readonly term: Term
  readonly generation: number
  readonly config: Uint8Array
}

/** A group without its entries. */
export interface GroupSummary {
  replica: ReplicaId
  term: Term
  vote: ReplicaId
  commit: LogIndex
  snapshot: SnapshotMark | null
}

type Body = Pick<RawRecord, 'kind' | 'type' | 'term' | 'index' | 'payload'>

const NOTHING = new Uint8Array(0)
const SNAPSHOT_FIXED = 5

export function toRaw(record: WalRecord): Body {
  switch (record.kind) {
    case 'create':
      return { kind: KIND_CREATE, type: 0, term: 0, index: record.replica, payload: NOTHING }
    case 'damaged':
      return encodeDamaged(record.replica)
    case 'remove':
      return { kind: KIND_REMOVE, type: 0, term: 0, index: 0, payload: NOTHING }
    case 'entry':
      return { kind: KIND_ENTRY, type: record.type, term: record.term, index: record.index, payload: record.data }
    case 'hardState':
      return { kind: KIND_HARD_STATE, type: 0, term: record.term, index: record.commit, payload: number(record.vote) }
    case 'snapshot':
      return { kind: KIND_SNAPSHOT, type: 0, term: record.term, index: record.index, payload: encodeSnapshot(record, record.reset) }
  }
}

export function encodeDamaged(replica: ReplicaId): Body {
  return { kind: KIND_DAMAGED, type: 0, term: 0, index: replica, payload: NOTHING }
}

function number(value: number): Uint8Array {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(value)
  return bytes
}

function encodeSnapshot(mark: SnapshotMark, reset: boolean): Uint8Array {
  const bytes = Buffer.alloc(SNAPSHOT_FIXED + mark.config.length)
  bytes.writeUInt32LE(mark.generation, 0)
  bytes[4] = reset ? 1 : 0
  bytes.set(mark.config, SNAPSHOT_FIXED)
  return bytes
}

function decodeSnapshot({ term, index, payload }: Pick<Body, 'term' | 'index' | 'payload'>): SnapshotMark {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  return { index, term, generation: view.getUint32(0, true), config: new Uint8Array(payload.subarray(SNAPSHOT_FIXED)) }
}

/** `state` payload: replica, vote, commit, then (where there is one) the snapshot's index, its term, its body. */
export function encodeState(summary: GroupSummary): Body {
  const { replica, term, vote, commit, snapshot } = summary
  const head = Buffer.alloc(snapshot ? 40 : 24)
  head.writeDoubleLE(replica, 0)
  head.writeDoubleLE(vote, 8)
  head.writeDoubleLE(commit, 16)
  if (snapshot) {
    head.writeDoubleLE(snapshot.index, 24)
    head.writeDoubleLE(snapshot.term, 32)
  }
  const payload = snapshot ? Buffer.concat([head, encodeSnapshot(snapshot, false)]) : head
  return { kind: KIND_STATE, type: 0, term, index: 0, payload }
}

function decodeState({ term, payload }: Body): GroupSummary {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength)
  const at = (offset: number) => view.getFloat64(offset, true)
  const snapshot = payload.length > 24 ? decodeSnapshot({ index: at(24), term: at(32), payload: payload.subarray(40) }) : null
  return { replica: at(0), term, vote: at(8), commit: at(16), snapshot }
}

/** Takes one record into the summary; null: the group is gone, or nothing of it counts. */
export function summarize(summary: GroupSummary | null, record: Body): GroupSummary | null {
  switch (record.kind) {
    case KIND_CREATE:
      return { replica: record.index, term: 0, vote: 0, commit: 0, snapshot: null }
    case KIND_REMOVE:
    case KIND_DAMAGED:
      return null
    case KIND_STATE:
      return summary ?? decodeState(record)
  }
  if (!summary) return null
  if (record.kind === KIND_HARD_STATE) {
    summary.term = record.term
    summary.commit = record.index
    summary.vote = new DataView(record.payload.buffer, record.payload.byteOffset, 8).getFloat64(0, true)
  } else if (record.kind === KIND_SNAPSHOT) {
    summary.snapshot = decodeSnapshot(record)
  }
  return summary
}

/** Whether the entries of the group before this record are void. */
export function voidsEntries({ kind, payload }: Pick<Body, 'kind' | 'payload'>): boolean {
  return kind === KIND_CREATE || kind === KIND_REMOVE || kind === KIND_DAMAGED || (kind === KIND_SNAPSHOT && payload[4] === 1)
}

/** A group with its entries, as recovery builds it. */
export class GroupLog {
  readonly group: GroupId
  summary: GroupSummary | null = null
  #entries: RecoveredGroup['entries'][number][] = []

  constructor(group: GroupId) {
    this.group = group
  }

  apply(record: Body): void {
    this.summary = summarize(this.summary, record)
    if (voidsEntries(record)) this.#entries = []
    else if (record.kind === KIND_ENTRY) this.#write(record)
  }

  /** Writing index i discards every entry >= i (P5). */
  #write({ index, term, type, payload }: Body): void {
    while (this.#entries.length > 0 && (this.#entries.at(-1)?.index ?? 0) >= index) this.#entries.pop()
    this.#entries.push({ index, term, type, data: new Uint8Array(payload) })
  }

  /** False where entries are missing: between two of them, or after the snapshot. */
  get whole(): boolean {
    if (!this.summary) return true
    let expected: number | null = null
    const base = this.summary.snapshot?.index ?? 0
    for (const { index } of this.#entries) {
      if (expected === null ? index > base + 1 : index !== expected) return false
      expected = index + 1
    }
    return Math.max(base, (expected ?? 1) - 1) >= this.summary.commit
  }

  recovered(): RecoveredGroup | null {
    if (!this.summary) return null
    const { replica, term, vote, commit, snapshot } = this.summary
    return { group: this.group, replica, hardState: { term, vote, commit }, snapshot, entries: this.#entries }
  }
}
