/**
 * The writes of one group that are on their way to the disk, in order. A promise (`thenSend`) leaves when its write and
 * all earlier ones are durable, never before.
 *
 *   works   [a: being written] [b: commit index only] [c: being written]
 *           a durable ─> release a, b          c durable ─> release c
 *
 * A commit index alone needs no fsync: it rides with the next write, or with the next checkpoint.
 */
import type { GroupId } from '../../base/ids.ts'
import type { WalRecord } from '../../io/wal/wal.ts'
import type { AppendWork, HardState } from '../core/types.ts'
import type { Group } from './group.ts'
import { encodeMembership } from './keys.ts'
import type { Gathered } from './shared.ts'

export interface Work {
  readonly group: Group
  readonly append: AppendWork
  /** Of a snapshot: where it was staged. */
  readonly generation: number
  durable: boolean
}

export class Writes {
  readonly #group: Group
  readonly #works: Work[] = []
  #lazy: HardState | null = null

  constructor(group: Group) {
    this.#group = group
  }

  take(append: AppendWork, generation: number, gathered: Gathered): void {
    const work = { group: this.#group, append, generation, durable: !append.mustSync }
    this.#works.push(work)
    if (append.hardState !== null) this.#lazy = append.hardState
    if (!append.mustSync) return
    const group = this.#group.id
    if (append.snapshot !== null) {
      const { index, term, membership } = append.snapshot
      gathered.records.push({ kind: 'snapshot', group, index, term, generation, reset: true, config: encodeMembership(membership) })
    }
    this.takeLazy(gathered.records)
    for (const { index, term, type, data } of append.entries) gathered.records.push({ kind: 'entry', group, index, term, type, data })
    gathered.works.push(work)
  }

  /** The hard state that waited for company. */
  takeLazy(records: WalRecord[]): void {
    if (this.#lazy !== null) records.push(hardStateRecord(this.#group.id, this.#lazy))
    this.#lazy = null
  }

  /** The next work that everything before is durable of, or null. */
  release(): Work | null {
    return this.#works[0]?.durable === true ? this.#works.shift()! : null
  }
}

export function hardStateRecord(group: GroupId, { term, vote, commit }: HardState): WalRecord {
  return { kind: 'hardState', group, term, vote, commit }
}
