/**
 * Subscriptions of caches that this gateway serves or served lately, for who comes back and knows its last `seq` alone: how far
 * the subscription had told when it was at which `seq`. Numbers begin at random, far from each other: so one number, with the
 * same filter, names one subscription and those that resumed it. They go on counting from where it was heard, and tell again what it
 * told: a number of both is of the later one, where it stands for no more than in the earlier one.
 */
import type { Millis } from '../../base/ids.ts'
import type { Clock } from '../../io/clock.ts'
import type { Random } from '../../io/random.ts'

const KEPT_MS: Millis = 300_000
export const ENDED_MAX = 10_000
const MARKS_MAX = 8
/** Numbers of one subscription before it might meet another's. */
const RANGE = 2 ** 20
const RANGES = 2 ** 31

interface Mark {
  readonly seq: number
  /** Everything up to here has a number up to that. */
  readonly cursor: string
}

export interface PastSubscription {
  readonly filter: string
  readonly first: number
  /** The oldest first; of a long life the last ones. */
  marks: readonly Mark[]
  last: number
}

export class PastSubscriptions {
  readonly #clock: Clock
  readonly #random: Random
  readonly #byFilter = new Map<string, Set<PastSubscription>>()
  /** Since when, the oldest first. */
  readonly #ended = new Map<PastSubscription, Millis>()

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  get size(): number {
    return this.#ended.size
  }

  firstSeq(): number {
    return this.#random.below(RANGES) * RANGE
  }

  began(filter: string, { seq, cursor }: Mark): PastSubscription {
    const past: PastSubscription = { filter, first: seq, marks: [{ seq, cursor }], last: seq }
    const same = this.#byFilter.get(filter)
    if (same === undefined) this.#byFilter.set(filter, new Set([past]))
    else same.add(past)
    return past
  }

  /** From time to time. */
  mark(past: PastSubscription, mark: Mark): void {
    if (past.marks.at(-1)?.seq === mark.seq) past.marks = [...past.marks.slice(0, -1), mark]
    else past.marks = [...past.marks.slice(-MARKS_MAX + 1), mark]
  }

  /** Its connection is gone; it may come back. */
  over(past: PastSubscription): void {
    this.#ended.set(past, this.#clock.now())
    this.#forgetOld()
  }

  forget(past: PastSubscription): void {
    this.#ended.delete(past)
    const same = this.#byFilter.get(past.filter)
    same?.delete(past)
    if (same?.size === 0) this.#byFilter.delete(past.filter)
  }

  /** A place from which everything after `seq` can be told again; null: nothing is known of it any more. */
  cursorAt(filter: string, seq: number): string | null {
    this.#forgetOld()
    let latest: PastSubscription | null = null
    for (const past of this.#byFilter.get(filter) ?? []) if (past.first <= seq && seq <= past.last) latest = past
    return latest?.marks.findLast((mark) => mark.seq <= seq)?.cursor ?? null
  }

  #forgetOld(): void {
    const now = this.#clock.now()
    for (const [past, at] of this.#ended) {
      if (now - at < KEPT_MS && this.#ended.size <= ENDED_MAX) return
      this.forget(past)
    }
  }
}
