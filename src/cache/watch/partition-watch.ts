/**
 * What a gateway hears of one partition, for all that is interested there: one poll after the other, each from the place that the
 * last answer reached.
 *
 *   wanted ─▶ poll(place) ──changes──▶ told, place moves ──▶ poll …        at most one in 5 ms: what changes meanwhile comes together
 *               │  └──refused, lost──▶ again a little later, from the same place
 *               └──another cache became interesting: what is under way is not listened to any more, and asked for anew
 *
 * So an answer counts only if it is that of the last question, and then everything of interest between the two places is in it.
 *
 * Who subscribes to a whole cache begins a watch of every partition at once. Each waits shorter once, by another part of the time, or they would
 * all ask, have their homes confirmed and be answered in the same milliseconds of every second, and hold up what else a node does.
 */
import { TricordError } from '../../base/errors.ts'
import type { Millis } from '../../base/ids.ts'
import type { Clock, Timer } from '../../io/clock.ts'
import { type LinePrefix, WATCH_LIMITS, type WatchAnswer, type WatchQuestion } from './words.ts'

const GATHER_MS: Millis = 5
/** Where it was not known for that long whether everything was told: it is asked for without much patience. */
const STALE_MS: Millis = 1_500
const IMPATIENT_MS: Millis = 25
const AGAIN_MS: Millis = 20
const AGAIN_MAX_MS: Millis = 500
/** Into so many parts the watches are spread. More would be smoother, and dearer: what is asked together shares messages. */
const STEPS = 8

/** How far the sweeps of tags and levels have come, on this node's clock: of one home, or of all. */
export interface Swept {
  /** What was invalidated before is swept on all partitions. */
  readonly at: Millis
  readonly lagMs: Millis
  readonly slowEndAt: Millis
}

export const NEVER_SWEPT: Swept = { at: -Infinity, lagMs: 0, slowEndAt: -Infinity }

/** Of which two both hold. */
export function bothSwept(a: Swept, b: Swept): Swept {
  return { at: Math.min(a.at, b.at), lagMs: Math.max(a.lagMs, b.lagMs), slowEndAt: Math.max(a.slowEndAt, b.slowEndAt) }
}

export interface WatchPort {
  readonly clock: Clock
  /** Rejects with a TricordError where nobody answers. */
  poll(partition: number, asker: string, question: WatchQuestion): Promise<WatchAnswer>
}

export interface WatchListener {
  changed(partition: number, changes: WatchAnswer['changes']): void
  /** What came between is not known any more: after `since`, and up to `upTo`. */
  lost(partition: number, since: number, upTo: number): void
}

export class PartitionWatch {
  readonly partition: number
  readonly #port: WatchPort
  readonly #listener: WatchListener
  readonly #asker: string
  readonly #interest = new Map<LinePrefix, number>()
  #place: number | null = null
  #freshAt: Millis = -Infinity
  #swept: Swept = NEVER_SWEPT
  #placed: (() => void)[] = []
  /** Of the question that counts. */
  #turn = 0
  #isDue = false
  #timer: Timer | null = null
  #refusals = 0
  /** It may ask at the same times as the others: it has just begun, it is to hear of another cache, or its home was gone. */
  #isInStep = true

  /** `asker`: no other watch has the same. */
  constructor(partition: number, asker: string, port: WatchPort, listener: WatchListener) {
    this.partition = partition
    this.#asker = asker
    this.#port = port
    this.#listener = listener
  }

  /** Everything of interest up to here was told; null: it has not begun. */
  get place(): number | null {
    return this.#place
  }

  /** On this node's clock: whatever was answered to a writer before has been told. */
  get freshAt(): Millis {
    return this.#freshAt
  }

  /** Of tags and levels whose home it is. */
  get swept(): Swept {
    return this.#swept
  }

  get isWanted(): boolean {
    return this.#interest.size > 0
  }

  want(prefix: LinePrefix): void {
    const count = this.#interest.get(prefix) ?? 0
    this.#interest.set(prefix, count + 1)
    if (count > 0) return
    this.#isInStep = true
    this.#again()
  }

  unwant(prefix: LinePrefix): void {
    const count = this.#interest.get(prefix) ?? 0
    if (count > 1) this.#interest.set(prefix, count - 1)
    else this.#interest.delete(prefix)
    if (!this.isWanted) this.#stop()
  }

  /** Where it has not begun it begins there. */
  beginAt(place: number): void {
    if (this.#place !== null) return
    this.#moveTo(place)
    this.#again()
  }

  /** Once it has a place. */
  begun(): Promise<void> {
    if (this.#place !== null) return Promise.resolve()
    return new Promise((resolve) => this.#placed.push(resolve))
  }

  #moveTo(place: number): void {
    this.#place = place
    const placed = this.#placed
    this.#placed = []
    for (const resolve of placed) resolve()
  }

  #stop(): void {
    this.#turn += 1
    this.#timer?.cancel()
    this.#timer = null
  }

  #again(delayMs: Millis = 0): void {
    this.#stop()
    const run = (): void => {
      this.#isDue = false
      if (this.isWanted && this.#timer === null) this.#poll()
    }
    if (delayMs > 0) {
      this.#timer = this.#port.clock.after(delayMs, () => {
        this.#timer = null
        run()
      })
    } else if (!this.#isDue) {
      this.#isDue = true
      this.#port.clock.defer(run)
    }
  }

  #poll(): void {
    this.#turn += 1
    const turn = this.#turn
    const { clock } = this.#port
    const sentAt = clock.now()
    const waitMs = this.#patienceMs(sentAt)
    const interest = this.#interest.size > WATCH_LIMITS.interestMax ? [] : [...this.#interest.keys()]
    this.#port.poll(this.partition, this.#asker, { since: this.#place, interest, waitMs }).then(
      (answer) => {
        if (turn !== this.#turn) return
        this.#refusals = 0
        this.#take(answer, sentAt)
        if (turn !== this.#turn) return
        const isFull = answer.changes.length >= WATCH_LIMITS.changesMax
        this.#again(answer.changes.length === 0 || isFull ? 0 : Math.max(0, sentAt + GATHER_MS - clock.now()))
      },
      (error: unknown) => {
        if (!(error instanceof TricordError)) throw error
        if (turn !== this.#turn) return
        this.#isInStep = true
        this.#again(Math.min(AGAIN_MAX_MS, AGAIN_MS * 2 ** Math.min(this.#refusals++, 8)))
      },
    )
  }

  #patienceMs(now: Millis): Millis {
    if (now - this.#freshAt > STALE_MS) return IMPATIENT_MS
    if (!this.#isInStep) return WATCH_LIMITS.waitMs
    this.#isInStep = false
    return (((this.partition % STEPS) + 1) * WATCH_LIMITS.waitMs) / STEPS
  }

  #take({ upTo, lost, fresh, changes, swept, lagMs, slowAgo }: WatchAnswer, sentAt: Millis): void {
    const { partition } = this
    const since = this.#place ?? 0
    this.#moveTo(upTo)
    if (fresh !== null) this.#freshAt = Math.max(this.#freshAt, sentAt + fresh)
    if (swept !== null && sentAt + swept > this.#swept.at) {
      // The end of a sweep counts rather too late than too early.
      this.#swept = { at: sentAt + swept, lagMs, slowEndAt: slowAgo === null ? -Infinity : this.#port.clock.now() - slowAgo }
    }
    if (lost) this.#listener.lost(partition, since, upTo)
    else if (changes.length > 0) this.#listener.changed(partition, changes)
  }
}
