/**
 * Subscriptions of caches that this gateway serves or served lately, for who comes back and knows its last `seq` alone: how far
 * the subscription had told when it was at which `seq`.
 *
 *   began at random R ──R+1 … R+60──▶ over        "from": R+50 ──R+51 … ──▶        one lineage, of this gateway alone
 *
 * A number stands for something only where it was told. So whoever comes with one that is not of a subscription here begins at a
 * fresh one, at random and so far from all others: two gateways, or two clients that begin with the same `from`, never tell the
 * same number. Those of a lineage may: they go on from where the earlier one was heard, and tell again what it told, in another
 * order perhaps. Nobody knows of which of them a number was heard, so it stands for what all of them had told by then.
 */
import type { Millis } from '../../base/ids.ts'
import type { Invalidations } from '../../cache/types.ts'
import type { Clock } from '../../io/clock.ts'
import type { Random } from '../../io/random.ts'

const KEPT_MS: Millis = 300_000
export const ENDED_MAX = 10_000
const MARKS_MAX = 8
/** Of first numbers. What a million subscriptions count up to is nothing to it. */
const NUMBERS = 2 ** 51
/** No subscription counts that far: what told a number began in the same stretch, or in the one before. Of many with one filter few are looked at. */
export const STRETCH = 2 ** 40

interface Mark {
  readonly seq: number
  /** Everything up to here has a number up to that. */
  readonly cursor: string
}

export interface Asked {
  /** The last number that the peer has seen. */
  readonly from?: number | undefined
  readonly cursor?: string | null | undefined
}

/** A subscription that began at a fresh number, and those that go on from numbers of it. */
export interface Lineage {
  /** As far as they are remembered. */
  readonly members: Set<PastSubscription>
  /** What numbers before it stood for is not known any more. */
  knownFrom: number
}

/** Where a subscription begins. */
export interface Beginning {
  /** The last number that the peer has seen, or a fresh one. */
  readonly seq: number
  /** Null: where things are now. */
  readonly cursor: string | null
  /** What the peer holds may be over: nobody knows what it has missed. */
  readonly resets: boolean
  readonly lineage: Lineage
}

export interface PastSubscription {
  readonly filter: string
  readonly lineage: Lineage
  readonly first: number
  /** The first, and of a long life the last ones. */
  marks: readonly [Mark, ...Mark[]]
  last: number
}

export class PastSubscriptions {
  readonly #clock: Clock
  readonly #random: Random
  /** By filter, and by the stretch that they began in. */
  readonly #begun = new Map<string, Set<PastSubscription>>()
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
    return this.#random.below(NUMBERS)
  }

  /** For who comes with the last number that it has seen, a cursor, both, or neither. */
  beginning(filter: string, { from, cursor = null }: Asked, cursors: Pick<Invalidations, 'earliest'>): Beginning {
    this.#forgetOld()
    const told = from === undefined ? [] : this.#told(filter, from)
    if (from === undefined || told[0] === undefined) {
      const seq = this.firstSeq()
      return { seq, cursor, resets: from !== undefined && cursor === null, lineage: { members: new Set(), knownFrom: seq } }
    }
    const places = told.map(({ marks }) => (marks.findLast(({ seq }) => seq <= from) ?? marks[0]).cursor)
    return { seq: from, cursor: cursor ?? cursors.earliest(places), resets: false, lineage: told[0].lineage }
  }

  #told(filter: string, seq: number): PastSubscription[] {
    const told: PastSubscription[] = []
    for (const first of [seq - STRETCH, seq]) {
      for (const past of this.#begun.get(stretchOf(filter, first)) ?? []) {
        if (past.first <= seq && seq <= past.last && past.lineage.knownFrom <= seq) told.push(past)
      }
    }
    return told
  }

  began(filter: string, lineage: Lineage, mark: Mark): PastSubscription {
    const past: PastSubscription = { filter, lineage, first: mark.seq, marks: [mark], last: mark.seq }
    const stretch = stretchOf(filter, mark.seq)
    const same = this.#begun.get(stretch)
    if (same === undefined) this.#begun.set(stretch, new Set([past]))
    else same.add(past)
    lineage.members.add(past)
    // While it was being opened the numbers that it tells again were forgotten: what they will be taken for nobody knows.
    if (mark.seq < lineage.knownFrom) lineage.knownFrom = Infinity
    return past
  }

  /** From time to time. */
  mark(past: PastSubscription, mark: Mark): void {
    const [first, ...later] = past.marks
    if (mark.seq === first.seq) past.marks = [mark]
    else past.marks = [first, ...later.filter(({ seq }) => seq < mark.seq).slice(2 - MARKS_MAX), mark]
  }

  /** Its connection is gone; it may come back. */
  over(past: PastSubscription): void {
    this.#ended.set(past, this.#clock.now())
    this.#forgetOld()
  }

  /** By its own wish, so it does not come back. If it does for all that, its numbers must not be taken for those of others. */
  left(past: PastSubscription): void {
    if (past.lineage.members.size > 1) this.over(past)
    else this.#forget(past)
  }

  #forget(past: PastSubscription): void {
    const { filter, first, lineage, last } = past
    this.#ended.delete(past)
    const stretch = stretchOf(filter, first)
    const same = this.#begun.get(stretch)
    same?.delete(past)
    if (same?.size === 0) this.#begun.delete(stretch)
    lineage.members.delete(past)
    lineage.knownFrom = Math.max(lineage.knownFrom, lineage.members.size === 0 ? Infinity : knownAfter(last, lineage.members))
  }

  #forgetOld(): void {
    const now = this.#clock.now()
    for (const [past, at] of this.#ended) {
      if (now - at < KEPT_MS && this.#ended.size <= ENDED_MAX) return
      this.#forget(past)
    }
  }
}

function stretchOf(filter: string, first: number): string {
  return `${Math.floor(first / STRETCH)} ${filter}`
}

/**
 * From where on numbers are known, once one that told those up to `last` is forgotten. Of the last one who goes on from there knows what it
 * stood for; but not if another counts up to it, or did: that means something else by it.
 */
function knownAfter(last: number, others: ReadonlySet<PastSubscription>): number {
  for (const { first } of others) if (first < last) return last + 1
  return last
}
