/**
 * How much room the disk has. Looked at a few times a second, so that a node refuses what would fill it while there is
 * still room for what it must write: releases, renewals, Raft's own records, the store's compactions.
 *
 *   enough ──free < mark──> low ──free >= mark and an eighth──> enough
 *   full: the log's last write was refused for want of space; over once one is taken
 */
import type { ActorContext } from '../../actors/actor.ts'
import type { Millis } from '../../base/ids.ts'
import type { DiskRoom, GroupHostOptions } from '../group-host.ts'

const LOOK_MS: Millis = 250

export interface DiskWatchParts {
  readonly wal: { readonly full: boolean }
  readonly freeBytes: () => Promise<number>
  readonly options: Pick<GroupHostOptions, 'diskLowBytes' | 'onLog'>
}

export class DiskWatch {
  readonly #parts: DiskWatchParts
  #low = false
  #failed = false
  /** Infinity while a look is under way: a disk that hangs is asked once. */
  #nextAt: Millis = 0

  constructor(parts: DiskWatchParts) {
    this.#parts = parts
  }

  get room(): DiskRoom {
    if (this.#parts.wal.full) return 'full'
    return this.#low ? 'low' : 'enough'
  }

  /** Called at every tick. */
  tick(ctx: ActorContext, now: Millis): void {
    if (this.#parts.options.diskLowBytes === 0 || now < this.#nextAt) return
    this.#nextAt = Infinity
    const again = (): void => void (this.#nextAt = ctx.clock.now() + LOOK_MS)
    ctx.pipeToSelf(
      this.#parts.freeBytes(),
      (free) => {
        again()
        this.#failed = false
        this.saw(free)
      },
      (error) => {
        again()
        this.#cannotTell(error)
      },
    )
  }

  saw(freeBytes: number): void {
    const { diskLowBytes, onLog } = this.#parts.options
    const low = freeBytes < (this.#low ? diskLowBytes + diskLowBytes / 8 : diskLowBytes)
    if (low === this.#low) return
    this.#low = low
    const fields = { freeBytes, lowBytes: diskLowBytes }
    if (low) onLog('warn', 'the disk is almost full: what takes more space is led elsewhere, or refused', fields)
    else onLog('info', 'there is room on the disk again', fields)
  }

  /** What was known last counts on. Said once. */
  #cannotTell(error: Error): void {
    if (!this.#failed) this.#parts.options.onLog('warn', `the free space of the disk cannot be read: ${error.message}`)
    this.#failed = true
  }
}
