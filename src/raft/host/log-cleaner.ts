/**
 * Keeps the log on disk in proportion to what is in it. Segments go oldest first, so a replica that cannot let its entries
 * go (its group has lost its quorum with a tail in the log) would keep every later segment of all the others too, until
 * they fill the disk. As the cleaner of a log-structured file system does, this one writes again what still counts:
 *
 *   bytes on disk > 2 x live + 4 segments ──> of a group that keeps the oldest segment, once more and as one unit:
 *       all its entries behind its checkpoint, or (damaged) that it is damaged ──> durable ──> the next, until it is small
 *
 * Invariants:
 *  1. Nothing new is said: a crash in the middle of a unit leaves the log as it was, one behind it a log that means the same.
 *  2. A pass over all segments writes no more than what lives; so of all that is written, at most half is this.
 */
import type { GroupId, ReplicaId } from '../../base/ids.ts'
import type { WalRecord } from '../../io/wal/wal.ts'
import type { Group } from './group.ts'
import type { Replicas } from './replicas.ts'
import type { HostShared } from './shared.ts'

const LIVE_SHARE = 2
const SEGMENTS_SPARE = 4

export class LogCleaner {
  readonly #shared: HostShared
  readonly #replicas: Replicas
  #writing = false

  constructor(shared: HostShared, replicas: Replicas) {
    this.#shared = shared
    this.#replicas = replicas
  }

  /** Called behind the append of a flush, a few times a second: what the groups have handed out is with the log then. */
  consider(): void {
    const { wal, options } = this.#shared
    const { segmentBytes } = wal.stats
    if (this.#writing || wal.full || segmentBytes <= this.#bytesMax()) return
    for (const group of wal.keepers) {
      const records = this.#again(group)
      if (records.length === 0) continue
      options.onLog('info', 'the log is cleaned: what counts of a group is written again', { group, records: records.length, segmentBytes })
      this.#writing = true
      wal.append(records, () => (this.#writing = false))
      return
    }
  }

  #bytesMax(): number {
    let live = 0
    for (const group of this.#replicas.live()) live += group.window.liveBytes
    return LIVE_SHARE * live + SEGMENTS_SPARE * this.#shared.options.segmentBytes
  }

  /** Nothing where it has to be asked again: while the replica is being made, or has more to write first. */
  #again(id: GroupId): readonly WalRecord[] {
    const group = this.#replicas.get(id)
    if (group === null) return damagedRecords(id, this.#replicas.damagedReplica(id))
    return group.core.hasReady() ? [] : entryRecords(group)
  }
}

function damagedRecords(group: GroupId, replica: ReplicaId | null): readonly WalRecord[] {
  return replica === null ? [] : [{ kind: 'damaged', group, replica }]
}

/** A restart begins at the last snapshot record, which is that of the checkpoint, or later. */
function entryRecords({ id, core, store }: Group): readonly WalRecord[] {
  return core.handedAfter(store.synced).map(({ index, term, type, data }) => ({ kind: 'entry', group: id, index, term, type, data }))
}
