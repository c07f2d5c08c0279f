/**
 * What the writer keeps of each group: its summary for the head of the next segment, its record count, and which segments
 * still hold entries that nobody has released. Pure bookkeeping; a segment may go when no group needs it.
 *
 * A record is noted when it is encoded. What it makes needless is needed until its batch is durable (`written`): a crash
 * before that finds the group as it was.
 */
import type { GroupId, LogIndex, ReplicaId } from '../../base/ids.ts'
import { EntrySegments } from './entry-segments.ts'
import { type GroupSummary, summarize, voidsEntries } from './group-log.ts'
import { KIND_CREATE, KIND_ENTRY, KIND_REMOVE, KIND_STATE, type RawRecord } from './record.ts'

interface GroupLedger {
  summary: GroupSummary | null
  sequence: number
  readonly entries: EntrySegments
}

export class Ledger {
  readonly #groups = new Map<GroupId, GroupLedger>()
  /** Groups that recovery could not vouch for: they hold on to every segment until they are made anew. */
  readonly #damaged = new Map<GroupId, ReplicaId>()
  /** The oldest segment that only the batch being written makes needless. */
  #held = Infinity

  /** What recovery found of a group. Nobody will release again what its snapshot record speaks of. */
  adopt(group: GroupId, summary: GroupSummary | null, sequence: number, entries: EntrySegments): void {
    this.#groups.set(group, { summary, sequence, entries })
    entries.release(summary?.snapshot?.index ?? 0)
  }

  markDamaged(group: GroupId, replica: ReplicaId): void {
    this.#damaged.set(group, replica)
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
    if (record.kind === KIND_CREATE || record.kind === KIND_REMOVE) {
      if (this.#damaged.delete(record.group)) this.#held = 0
    }
    let voided = Infinity
    if (record.kind === KIND_ENTRY) voided = ledger.entries.write(segment, record.index)
    else if (voidsEntries(record)) voided = ledger.entries.clear()
    this.#held = Math.min(this.#held, voided)
  }

  /** Everything noted is durable. */
  written(): void {
    this.#held = Infinity
  }

  release(group: GroupId, index: LogIndex): void {
    this.#of(group).entries.release(index)
  }

  /** The live groups with what they are, for the head of a segment. */
  *summaries(): Generator<readonly [GroupId, GroupSummary]> {
    for (const [group, { summary }] of this.#groups) if (summary && !this.#damaged.has(group)) yield [group, summary]
  }

  /** The oldest segment that somebody needs; `newest` where nobody needs one before it. */
  oldestNeeded(newest: number): number {
    if (this.#damaged.size > 0) return 0
    let oldest = Math.min(newest, this.#held)
    for (const { entries } of this.#groups.values()) for (const segment of entries.segments) oldest = Math.min(oldest, segment)
    return oldest
  }

  #of(group: GroupId): GroupLedger {
    let ledger = this.#groups.get(group)
    if (!ledger) this.#groups.set(group, (ledger = { summary: null, sequence: 0, entries: new EntrySegments() }))
    return ledger
  }
}
