/**
 * Gives the disk back what consumed messages took. A store that is let alone keeps deleted records until enough else is
 * written in their neighbourhood: of a backlog that was drained, and then nothing more, all of it for ever.
 *
 *   deleted since the last time, over all groups ──more than is left to lie──> the group with most of it ──compact──> nothing
 *
 * One range at a time, beside the writes. What lies deleted is then at most as much as there is, and 64 MiB (or a
 * quarter of `disk_low_bytes`), besides what the store has in its write buffers. On a disk that is low next to nothing is left.
 */
import type { Millis } from '../../base/ids.ts'
import { DiskFullError } from '../../io/storage.ts'
import type { Group } from './group.ts'
import type { HostShared } from './shared.ts'

const LOOK_MS: Millis = 1_000
const LEFT_BYTES_MAX = 64 * 1024 * 1024
/** On a low disk every compaction counts, and is small. */
const LEFT_LOW_BYTES = 1024 * 1024
/** Where room is scarce less is left: a part of what the operator wants to be free. */
const PARTS_OF_LOW = 4

export class Compactor {
  readonly #shared: HostShared
  readonly #leftBytes: number
  #nextAt: Millis = 0
  #work: Promise<void> = Promise.resolve()

  constructor(shared: HostShared) {
    const { diskLowBytes } = shared.options
    this.#shared = shared
    this.#leftBytes = diskLowBytes === 0 ? LEFT_BYTES_MAX : Math.min(LEFT_BYTES_MAX, diskLowBytes / PARTS_OF_LOW)
  }

  /** Called at every tick. */
  tick(groups: Iterable<Group>, now: Millis): void {
    if (now < this.#nextAt) return
    this.#nextAt = now + LOOK_MS
    const group = this.#worst(groups)
    if (group === null) return
    const { cold } = group.store
    cold.compacted()
    this.#nextAt = Infinity
    const again = (): void => void (this.#nextAt = this.#shared.clock.now() + LOOK_MS)
    this.#work = this.#shared.kv.compact(cold.range)
    this.#shared.outgoing.ctx.pipeToSelf(this.#work, again, (error) => {
      again()
      // The next batch meets the same disk, and waits for room.
      if (!(error instanceof DiskFullError))
        this.#shared.options.onLog('error', 'the key-value store could not be compacted', { error: error.message })
    })
  }

  /** Null: what lies deleted may lie. */
  #worst(groups: Iterable<Group>): Group | null {
    let [deleted, live, most] = [0, 0, 0]
    let worst: Group | null = null
    for (const group of groups) {
      const { deletedBytes, liveBytes } = group.store.cold
      deleted += deletedBytes
      live += liveBytes
      if (deletedBytes <= most) continue
      most = deletedBytes
      worst = group
    }
    const left = this.#shared.disk.room === 'enough' ? this.#leftBytes + live : LEFT_LOW_BYTES
    return deleted > left ? worst : null
  }

  /** The compaction that is under way, if any, is over. */
  async settled(): Promise<void> {
    await this.#work.catch(() => {})
  }
}
