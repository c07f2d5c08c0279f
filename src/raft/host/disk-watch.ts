/**
 * How much room the disk has. Looked at a few times a second, so that a node refuses what would fill it while there is
 * still room for what it must write: releases, renewals, Raft's own records, the store's compactions.
 *
 *   enough ──left < mark──> low ──left >= mark and an eighth──> enough
 *   full: the log's last write was refused for want of space; over once one is taken
 *
 * What is left: free at the last look, less what the log has written since, and what waits in memory for the store or the log.
 * All of that still comes upon the disk, whatever is refused from now on; on a busy machine it is more than the mark.
 *
 * Scarce, with less than a quarter of the mark left: a follower takes no entries as long as its log can give room back. The log
 * must not take what the store needs to let the log go: then neither of them would ever get on. Nor does a snapshot take more
 * than it leaves; a small one, of a state that was consumed meanwhile, has to get through.
 */
import type { ActorContext } from '../../actors/actor.ts'
import type { Millis } from '../../base/ids.ts'
import type { WalStats } from '../../io/wal/wal.ts'
import type { DiskRoom } from '../disk-room.ts'
import type { GroupHostOptions } from '../group-host.ts'

const LOOK_MS: Millis = 250
const SCARCE_PARTS = 4
/** A log that has no more cannot be expected to give any back. */
const SEGMENTS_KEPT = 4

export interface DiskWatchParts {
  readonly wal: { readonly full: boolean; readonly stats: Pick<WalStats, 'bytesWritten' | 'queuedBytes' | 'segments'> }
  readonly freeBytes: () => Promise<number>
  readonly options: Pick<GroupHostOptions, 'diskLowBytes' | 'onLog'>
}

export class DiskWatch {
  readonly #parts: DiskWatchParts
  #low = false
  /** Infinity where nobody asks. */
  #left = Infinity
  #failed = false
  /** Infinity while a look is under way: a disk that hangs is asked once. */
  #nextAt: Millis = 0
  /** Of the last look; and the log's `bytesWritten` when it began. */
  #free = Infinity
  #writtenBefore = 0

  constructor(parts: DiskWatchParts) {
    this.#parts = parts
  }

  get room(): DiskRoom {
    if (this.#parts.wal.full) return 'full'
    return this.#low ? 'low' : 'enough'
  }

  /** A follower takes no entries for now. */
  get scarce(): boolean {
    return this.#isScarce && this.#parts.wal.stats.segments > SEGMENTS_KEPT
  }

  /** Whether so much more may be added to `bytes` that came already. */
  mayTake(bytes: number, more: number): boolean {
    return !this.#isScarce || bytes + more <= this.#left
  }

  get #isScarce(): boolean {
    return this.#left < this.#parts.options.diskLowBytes / SCARCE_PARTS
  }

  /** Called at every tick. `owedBytes`: in memory, for the store. */
  tick(ctx: ActorContext, now: Millis, owedBytes: number): void {
    if (this.#parts.options.diskLowBytes === 0) return
    this.#weigh(owedBytes)
    if (now < this.#nextAt) return
    this.#nextAt = Infinity
    const { bytesWritten } = this.#parts.wal.stats
    const again = (): void => void (this.#nextAt = ctx.clock.now() + LOOK_MS)
    ctx.pipeToSelf(
      this.#parts.freeBytes(),
      (free) => {
        again()
        this.#failed = false
        this.#free = free
        this.#writtenBefore = bytesWritten
        this.#weigh(owedBytes)
      },
      (error) => {
        again()
        this.#cannotTell(error)
      },
    )
  }

  #weigh(owedBytes: number): void {
    const { diskLowBytes } = this.#parts.options
    const { bytesWritten, queuedBytes } = this.#parts.wal.stats
    const left = this.#free - (bytesWritten - this.#writtenBefore) - queuedBytes - owedBytes
    this.#left = left
    const low = left < (this.#low ? diskLowBytes + diskLowBytes / 8 : diskLowBytes)
    if (low !== this.#low) this.#turned(low, left)
  }

  #turned(low: boolean, leftBytes: number): void {
    const { diskLowBytes, onLog } = this.#parts.options
    this.#low = low
    const fields = { freeBytes: this.#free, leftBytes, lowBytes: diskLowBytes }
    if (low) onLog('warn', 'the disk is almost full: what takes more space is led elsewhere, or refused', fields)
    else onLog('info', 'there is room on the disk again', fields)
  }

  /** What was known last counts on. Said once. */
  #cannotTell(error: Error): void {
    if (!this.#failed) this.#parts.options.onLog('warn', `the free space of the disk cannot be read: ${error.message}`)
    this.#failed = true
  }
}
