/**
 * What the writer keeps of each group: its summary for the head of the next segment, its record count, and which segments
 * still hold entries that nobody has released. Pure bookkeeping; a segment may go when no group needs it.
 *
 * A record is noted when it is encoded. What it makes needless is needed until its batch is durable (`written`): a crash
 * before that finds the group as it was.
 */
import type { GroupId, LogIndex, ReplicaId } from '../../base/ids.ts'
import { EntrySegments } from './entry-segments.ts'
import { type GroupSummary, encodeDamaged, encodeState, summarize, voidsEntries } from './group-log.ts'
import { KIND_CREATE, KIND_DAMAGED, KIND_ENTRY, KIND_REMOVE, KIND_SNAPSHOT, KIND_STATE, type RawRecord } from './record.ts'

interface GroupLedger {
  summary: GroupSummary | null
  sequence: number
  readonly entries: EntrySegments
}

export class Ledger {
  readonly #groups = new Map<GroupId, GroupLedger>()
  /**
   * Groups that recovery could not vouch for, until they are made anew: they hold on to every segment, which are what shows
   * that they are damaged, unless a record says so.
   */
  readonly #damaged = new Map<GroupId, { readonly replica: ReplicaId; readonly recorded: boolean }>()
  /** The oldest segment that only the batch being written makes needless. */
  #held = Infinity

  /** What recovery found of a group. Nobody will release again what its snapshot record speaks of. */
  adopt(group: GroupId, summary: GroupSummary | null, sequence: number, entries: EntrySegments): void {
    this.#groups.set(group, { summary, sequence, entries })
    entries.release(summary?.snapshot?.index ?? 0)
  }

  markDamaged(group: GroupId, replica: ReplicaId, recorded: boolean): void {
    this.#damaged.set(group, { replica, recorded })
  }

  /** The number of a record of the group: the next, or for a `state` that of the record before. */
  sequenceOf(group: GroupId, kind: number): number {
    const ledger = this.#of(group)
    if (kind !== KIND_STATE) ledger.sequence = (ledger.sequence + 1) >>> 0
    return ledger.sequence
  }

  note(segment: number, record: Pick<RawRecord, 'group' | 'kind' | 'type' | 'term' | 'index' | 'payload'>): void {
    const ledger = this.#of(record.group)
    ledger.summary = summarize(ledger.summary, record)
    const before = this.#damaged.get(record.group)
    if (record.kind === KIND_DAMAGED) this.markDamaged(record.group, record.index, true)
    else if (record.kind === KIND_CREATE || record.kind === KIND_REMOVE) this.#damaged.delete(record.group)
    if (before?.recorded === false && this.#damaged.get(record.group) !== before) this.#held = 0
    let voided = Infinity
    if (record.kind === KIND_ENTRY) voided = ledger.entries.write(segment, record.index)
    else if (voidsEntries(record)) voided = ledger.entries.clear(record.kind === KIND_SNAPSHOT ? record.index : 0)
    this.#held = Math.min(this.#held, voided)
  }

  /** Everything noted is durable. */
  written(): void {
    this.#held = Infinity
  }

  release(group: GroupId, index: LogIndex): void {
    this.#of(group).entries.release(index)
  }

  /** What the head of a segment has to say, so that no segment before it is needed for that. */
  *heads(): Generator<Pick<RawRecord, 'group' | 'kind' | 'type' | 'term' | 'index' | 'payload'>> {
    for (const [group, { summary }] of this.#groups) if (summary && !this.#damaged.has(group)) yield { group, ...encodeState(summary) }
    for (const [group, { replica, recorded }] of this.#damaged) if (recorded) yield { group, ...encodeDamaged(replica) }
  }

  /** The groups that need the segment. */
  keepersOf(segment: number): readonly GroupId[] {
    const keepers = Array.from(this.#damaged, ([group, { recorded }]) => (recorded ? [] : [group])).flat()
    for (const [group, { entries }] of this.#groups) {
      if (!this.#damaged.has(group) && [...entries.segments].includes(segment)) keepers.push(group)
    }
    return keepers
  }

  /** The oldest segment that somebody needs; `newest` where nobody needs one before it. */
  oldestNeeded(newest: number): number {
    let oldest = Math.min(newest, this.#held)
    for (const { recorded } of this.#damaged.values()) if (!recorded) oldest = 0
    for (const [group, { entries }] of this.#groups) {
      if (this.#damaged.has(group)) continue
      for (const segment of entries.segments) oldest = Math.min(oldest, segment)
    }
    return oldest
  }

  #of(group: GroupId): GroupLedger {
    let ledger = this.#groups.get(group)
    if (!ledger) this.#groups.set(group, (ledger = { summary: null, sequence: 0, entries: new EntrySegments() }))
    return ledger
  }
}
