/**
 * The log of one replica, in memory: everything after the compaction point, so no read ever waits. What was handed
 * to the storage and what of it is durable are marked, since storage is asynchronous:
 *
 *     base     applied  applying            stable     handed      last
 *      |----------|--------|-------|-----------|----------|----------|
 *      compacted           |     commit        durable    being      not yet in
 *                        handed to               to here  written    any Ready
 *                        the machine
 *
 * Invariants: base <= applied <= applying <= commit <= last; applying <= stable (P9); stable <= handed <= last.
 * While a snapshot is being installed `stable` still tells of the old log, and nothing is handed out to be applied.
 */
import { assert, AssertionError } from '../../base/assert.ts'
import type { LogIndex, Term } from '../../base/ids.ts'
import type { RaftState } from './raft-core.ts'
import { ENTRY_CONFIG, type AppendTicket, type Entry, type SnapshotMeta } from './types.ts'

/** What an entry weighs beside its data, in every limit on bytes. */
const ENTRY_OVERHEAD_BYTES = 16
const NO_ENTRIES: readonly Entry[] = []
/** The term of an index that the log does not reach. Smaller than every term. */
export const TERM_UNKNOWN = -1

export function entryBytes(entry: Entry): number {
  return entry.data.byteLength + ENTRY_OVERHEAD_BYTES
}

export class RaftLog {
  base: LogIndex
  baseTerm: Term
  stable: LogIndex
  handed: LogIndex
  commit: LogIndex
  applying: LogIndex
  applied: LogIndex
  /** Taken by `restore`, not yet durable. */
  pendingSnapshot: SnapshotMeta | null = null
  /** Bytes of (applied, applying]. */
  applyingBytes = 0
  #entries: Entry[]
  #snapshotHanded = false

  constructor(state: RaftState) {
    this.base = state.snapshot.index
    this.baseTerm = state.snapshot.term
    this.#entries = state.entries.slice()
    this.#entries.forEach((entry, i) => assert(entry.index === this.base + 1 + i, 'the recovered log has a hole'))
    // Durable by construction, and the applied index may be ahead of a commit that was written without a sync (P6).
    this.stable = this.handed = this.last
    this.applied = this.applying = Math.max(state.applied, this.base)
    this.commit = Math.max(state.hardState.commit, this.applied)
    assert(this.commit <= this.last, `the recovered log ends at ${this.last}, before the commit index ${this.commit}`)
  }

  get first(): LogIndex {
    return this.base + 1
  }

  get last(): LogIndex {
    return this.base + this.#entries.length
  }

  get lastTerm(): Term {
    return this.termAt(this.last)
  }

  /** TERM_UNKNOWN where the log does not reach. */
  termAt(index: LogIndex): Term {
    if (index === this.base) return this.baseTerm
    const entry = this.#entries[index - this.base - 1]
    return entry === undefined ? TERM_UNKNOWN : entry.term
  }

  at(index: LogIndex): Entry {
    const entry = this.#entries[index - this.base - 1]
    // No assert: its message would be built for every entry that is there.
    if (entry === undefined) throw new AssertionError(`no entry ${index} in (${this.base}, ${this.last}]`)
    return entry
  }

  /** Whether a log that ends so may lead this one (5.4.1): the later term wins, then the longer log. */
  isUpToDate(lastIndex: LogIndex, lastTerm: Term): boolean {
    const own = this.lastTerm
    return lastTerm > own || (lastTerm === own && lastIndex >= this.last)
  }

  /** Entries from `from` on, at least one if there is one, else no more than `bytesMax`. */
  slice(from: LogIndex, bytesMax: number): readonly Entry[] {
    const last = this.last
    if (from > last) return NO_ENTRIES
    let end = from
    let bytes = entryBytes(this.at(from))
    while (end < last) {
      bytes += entryBytes(this.at(end + 1))
      if (bytes > bytesMax) break
      end++
    }
    return this.#entries.slice(from - this.base - 1, end - this.base)
  }

  /** Bytes of (from, to]. */
  bytesBetween(from: LogIndex, to: LogIndex): number {
    let bytes = 0
    for (let index = from + 1; index <= to; index++) bytes += entryBytes(this.at(index))
    return bytes
  }

  /** Whether a configuration entry lies in (from, to]. */
  hasConfig(from: LogIndex, to: LogIndex): boolean {
    for (let index = from + 1; index <= to; index++) if (this.at(index).type === ENTRY_CONFIG) return true
    return false
  }

  /** The leader's append: always at the end. */
  append(entry: Entry): void {
    assert(entry.index === this.last + 1, 'an append leaves a hole')
    this.#entries.push(entry)
  }

  /** The follower's append. Entries it has are skipped; the tail goes only where one contradicts it (pitfalls 5 and 6). */
  merge(entries: readonly Entry[]): void {
    let skip = 0
    while (skip < entries.length && this.termAt(entries[skip]!.index) === entries[skip]!.term) skip++
    if (skip === entries.length) return
    const from = entries[skip]!.index
    assert(from > this.commit, 'an append contradicts what is committed')
    assert(from <= this.last + 1, 'an append leaves a hole')
    if (from <= this.last) this.#truncate(from)
    for (let i = skip; i < entries.length; i++) this.#entries.push(entries[i]!)
  }

  #truncate(from: LogIndex): void {
    this.#entries.length = from - this.base - 1
    this.stable = Math.min(this.stable, from - 1)
    this.handed = Math.min(this.handed, from - 1)
  }

  /**
   * The last index <= `index` whose term is <= `term`: two logs that differ at `index` may agree there at best, so
   * a probe skips whole terms (pitfall 29). The compaction point ends the search.
   */
  lastAtOrBelow(index: LogIndex, term: Term): LogIndex {
    let at = Math.min(index, this.last)
    while (at > this.base && this.termAt(at) > term) at--
    return at
  }

  commitTo(index: LogIndex): void {
    if (index <= this.commit) return
    assert(index <= this.last, 'a commit index beyond the end of the log: acknowledged entries were lost')
    this.commit = index
  }

  get hasUnsaved(): boolean {
    return this.handed < this.last || (this.pendingSnapshot !== null && !this.#snapshotHanded)
  }

  /** What the storage has not been given yet. */
  takeUnsaved(): readonly Entry[] {
    if (this.handed === this.last) return NO_ENTRIES
    const entries = this.#entries.slice(this.handed - this.base)
    this.handed = this.last
    return entries
  }

  handedAfter(index: LogIndex): readonly Entry[] {
    return this.#entries.slice(Math.max(0, index - this.base), this.handed - this.base)
  }

  takeSnapshot(): SnapshotMeta | null {
    if (this.#snapshotHanded) return null
    this.#snapshotHanded = this.pendingSnapshot !== null
    return this.pendingSnapshot
  }

  /**
   * A write is durable. The term guards against ABA (P8): an entry written, cut off and written again looks the same
   * by index and term, but the ticket of its first life cannot speak for its second. In between the term has moved.
   */
  saved(ticket: AppendTicket, term: Term): void {
    const snapshot = this.pendingSnapshot
    if (snapshot !== null && ticket.snapshotIndex === snapshot.index) {
      // Committed state has no second life, so the term does not matter here.
      this.pendingSnapshot = null
      this.#snapshotHanded = false
      this.stable = snapshot.index
    }
    if (ticket.term !== term || this.pendingSnapshot !== null) return
    if (ticket.lastIndex > this.stable && this.termAt(ticket.lastIndex) === ticket.lastTerm) this.stable = ticket.lastIndex
  }

  hasCommitted(bytesMax: number): boolean {
    if (this.pendingSnapshot !== null || this.applying >= Math.min(this.commit, this.stable)) return false
    return this.applyingBytes === 0 || this.applyingBytes + entryBytes(this.at(this.applying + 1)) <= bytesMax
  }

  /** Committed, durable here and not handed out yet, while no more than `bytesMax` are out and not applied. */
  takeCommitted(bytesMax: number): readonly Entry[] {
    if (!this.hasCommitted(bytesMax)) return NO_ENTRIES
    const from = this.applying
    const limit = Math.min(this.commit, this.stable)
    while (this.applying < limit) {
      const bytes = entryBytes(this.at(this.applying + 1))
      if (this.applyingBytes > 0 && this.applyingBytes + bytes > bytesMax) break
      this.applyingBytes += bytes
      this.applying++
    }
    return this.#entries.slice(from - this.base, this.applying - this.base)
  }

  /** The next entry is in the state machine. */
  advanceApplied(): Entry {
    const entry = this.at(this.applied + 1)
    assert(entry.index <= this.applying, 'an entry was applied before it was handed out')
    this.applied = entry.index
    this.applyingBytes -= entryBytes(entry)
    return entry
  }

  /** The log becomes this snapshot and nothing else. */
  restore(snapshot: SnapshotMeta): void {
    assert(snapshot.index > this.commit, 'a snapshot must not take back what is committed')
    this.stable = Math.min(this.stable, this.commit)
    this.#entries = []
    this.base = this.handed = this.commit = this.applying = this.applied = snapshot.index
    this.baseTerm = snapshot.term
    this.applyingBytes = 0
    this.pendingSnapshot = snapshot
    this.#snapshotHanded = false
  }

  /** Forgets entries up to `index`; they are in a durable state. */
  compact(index: LogIndex): void {
    assert(index <= this.applied, 'compaction beyond what is applied')
    if (index <= this.base) return
    this.baseTerm = this.termAt(index)
    this.#entries = this.#entries.slice(index - this.base)
    this.base = index
  }
}
