/**
 * Gives the disk back what consumed messages and replicas that have gone took. A store that is let alone keeps deleted
 * records until enough else is written in their neighbourhood: of a backlog that was drained, all of it for ever.
 *
 *   cleared: the range of a replica or generation that went ─────────────────────────────┐
 *   deleted since the last time, over all groups ──more than may lie──> the worst group ─┼──> compact ──> nothing lies there
 *   the disk has become low ──> the whole store, group by group, whatever is known of it ┘       └─in the way─> later again
 *   and stays so ──> next to nothing is written, now and then
 *
 * The last is a question: an engine whose own compaction found no room keeps what it left there until it is written to, and is
 * opened again for that (kv/reopening.ts). While what would write is refused, for want of that very room, nobody else asks. It is
 * no compaction: for that some engines are opened again, room or not.
 *
 * One range at a time, beside the writes, a fifth of the time at most. What lies deleted is then at most as much as there is, and
 * 64 MiB (or a quarter of `disk_low_bytes`), besides what the store has in its write buffers. On a disk that is low next to nothing.
 *
 * Invariants: what was counted counts until a compaction has said that it is gone; what is in the way of one range holds up
 * no other. A restart forgets what was counted; the disk that becomes low finds it.
 */
import type { ActorContext } from '../../actors/actor.ts'
import type { Millis } from '../../base/ids.ts'
import type { Kv, KvOp, KvRange } from '../../io/kv/kv.ts'
import { DiskFullError } from '../../io/storage.ts'
import type { DiskRoom } from '../disk-room.ts'
import type { GroupHostOptions } from '../group-host.ts'
import type { ColdRecords } from './cold.ts'
import type { Group } from './group.ts'
import { wholeGroup } from './keys.ts'

const LOOK_MS: Millis = 1_000
/** So many times as long as it took. */
const REST_SHARE = 4
const AGAIN_MS: Millis = 10_000
const LEFT_BYTES_MAX = 64 * 1024 * 1024
/** No record has such a key. */
const NEXT_TO_NOTHING: readonly KvOp[] = [{ key: new Uint8Array(1), value: null }]
/** On a low disk every compaction counts, and is small. */
const LEFT_LOW_BYTES = 1024 * 1024
/** Where room is scarce less is left: a part of what the operator wants to be free. */
const PARTS_OF_LOW = 4
/** Beyond, one range is taken that has them all. */
const RANGES_MAX = 1_000

/** What is seen of a group. */
export interface Compacted {
  readonly id: Group['id']
  readonly store: { readonly cold: Pick<ColdRecords, 'range' | 'deletedBytes' | 'liveBytes' | 'compacted'> }
}
type Cold = Compacted['store']['cold']

export interface CompactorParts {
  readonly kv: Pick<Kv, 'batch' | 'compact'>
  readonly disk: { readonly room: DiskRoom }
  readonly options: Pick<GroupHostOptions, 'diskLowBytes' | 'onLog'>
}

interface Job {
  /** Null: a question. */
  readonly range: KvRange | null
  readonly gone: () => void
  readonly later: () => void
}

export class Compactor {
  readonly #parts: CompactorParts
  readonly #leftBytes: number
  /** Whole ranges to compact, oldest first. */
  readonly #ranges: KvRange[] = []
  /** The whole store, as the disk became low last: while it is being gone over, that is not begun again. */
  #whole: readonly KvRange[] = []
  /** Groups of which something was in the way, and when to try again. */
  readonly #putOff = new WeakMap<Cold, Millis>()
  #scarce = false
  #closed = false
  #rangesAt: Millis = 0
  #askedAt: Millis = 0
  #nextAt: Millis = 0
  #work: Promise<unknown> = Promise.resolve()

  constructor(parts: CompactorParts) {
    const { diskLowBytes } = parts.options
    this.#parts = parts
    this.#leftBytes = diskLowBytes === 0 ? LEFT_BYTES_MAX : Math.min(LEFT_BYTES_MAX, diskLowBytes / PARTS_OF_LOW)
  }

  /** Everything in this range was deleted. */
  cleared(range: KvRange): void {
    this.#add([range])
  }

  /** Called at every tick. */
  tick(groups: Iterable<Compacted>, ctx: ActorContext, now: Millis): void {
    if (now < this.#nextAt || this.#closed) return
    this.#nextAt = now + LOOK_MS
    const live = [...groups]
    const scarce = this.#parts.disk.room !== 'enough'
    if (scarce && !this.#scarce && !this.#ranges.some((range) => this.#whole.includes(range))) this.#add((this.#whole = wholeStore(live)))
    this.#scarce = scarce
    const job = this.#worst(live, now) ?? this.#range(now) ?? this.#question(now)
    if (job !== null) this.#run(job, ctx, now)
  }

  #add(ranges: readonly KvRange[]): void {
    this.#ranges.push(...ranges)
    if (this.#ranges.length > RANGES_MAX) this.#ranges.splice(0, Infinity, {})
  }

  #run({ range, gone, later }: Job, ctx: ActorContext, begun: Millis): void {
    this.#nextAt = Infinity
    const rest = (): void => {
      const now = ctx.clock.now()
      this.#nextAt = now + Math.max(LOOK_MS, REST_SHARE * (now - begun))
    }
    const work = range === null ? this.#ask() : this.#parts.kv.compact(range, () => !this.#closed)
    this.#work = work
    ctx.pipeToSelf(
      work,
      (done) => {
        rest()
        if (done) gone()
        else later()
      },
      (error) => {
        rest()
        later()
        // The next batch meets the same disk, and waits for room.
        if (!(error instanceof DiskFullError))
          this.#parts.options.onLog('error', 'the key-value store could not be compacted', { error: error.message })
      },
    )
  }

  /** Null: what lies deleted may lie, as far as it is counted. */
  #worst(groups: readonly Compacted[], now: Millis): Job | null {
    let [deleted, live, most] = [0, 0, 0]
    let worst: Cold | null = null
    for (const { store } of groups) {
      const { deletedBytes, liveBytes } = store.cold
      deleted += deletedBytes
      live += liveBytes
      if (deletedBytes <= most || now < (this.#putOff.get(store.cold) ?? 0)) continue
      most = deletedBytes
      worst = store.cold
    }
    const left = this.#scarce ? LEFT_LOW_BYTES : this.#leftBytes + live
    if (worst === null || deleted <= left) return null
    const cold = worst
    return {
      range: cold.range,
      gone: () => cold.compacted(most),
      later: () => void this.#putOff.set(cold, now + AGAIN_MS),
    }
  }

  #range(now: Millis): Job | null {
    const range = now < this.#rangesAt ? undefined : this.#ranges.shift()
    if (range === undefined) return null
    const later = (): void => {
      this.#ranges.push(range)
      this.#rangesAt = now + AGAIN_MS
    }
    return { range, gone: () => {}, later }
  }

  #question(now: Millis): Job | null {
    if (!this.#scarce || now < this.#askedAt + AGAIN_MS) return null
    this.#askedAt = now
    return { range: null, gone: () => {}, later: () => {} }
  }

  async #ask(): Promise<boolean> {
    await this.#parts.kv.batch(NEXT_TO_NOTHING, { sync: false })
    return true
  }

  /** A compaction that is under way ends early. */
  close(): void {
    this.#closed = true
  }

  /** The compaction that is under way, if any, is over. */
  async settled(): Promise<void> {
    await this.#work.catch(() => {})
  }
}

/** All keys, in a range per group: with its other generations, and what lies between it and the next. */
function wholeStore(groups: readonly Compacted[]): KvRange[] {
  const ids = groups.map(({ id }) => id).sort((a, b) => a - b)
  const cuts = ids.slice(1).map((id) => wholeGroup(id).gte)
  return [undefined, ...cuts].map((gte, at) => ({ ...(gte && { gte }), ...(cuts[at] && { lt: cuts[at] }) }))
}
