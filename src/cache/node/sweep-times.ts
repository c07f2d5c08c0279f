/**
 * When invalidations of tags and levels began and how long their sweeps took, at the home of their lines: how far clients that keep
 * copies may rely on what other homes tell them. Of a version of the partition it is known between which others it was made.
 *
 *   bumped ──▶ gone on nodes ──▶ swept, and told, by home after home ──▶ cache_swept
 *   └─ since: of what was invalidated later nothing is certain ────────────┘
 *              └─ whoever was told everything by a home up to a moment in here may miss what it swept after it:
 *                 of a quick sweep it knows so much less (`lagMs`), of another one nothing at all (`slowEndAt`)
 */
import type { Millis } from '../../base/ids.ts'

/** What is older is of no use to anybody: leases are as long. */
const WINDOW_MS: Millis = 3_000
/** Finer times would be more of them. */
const GRAIN_MS: Millis = 25
const QUICK_MS: Millis = 250

export interface SweptPromise {
  /** Whatever was invalidated before is swept on all partitions by now. Infinity: everything; -Infinity: nobody can say. */
  readonly since: Millis
  /** Quick sweeps that ended lately took so long at most, from the invalidation on. */
  readonly lagMs: Millis
  /** When the last one ended that was not quick, or of which it is not known; -Infinity: none lately. */
  readonly slowEndAt: Millis
}

export const NOTHING_CERTAIN: SweptPromise = { since: -Infinity, lagMs: 0, slowEndAt: -Infinity }

export class SweepTimes {
  /** Rising: versions that were made then, and not before. */
  #bumps: { readonly version: number; readonly at: Millis }[] = []
  /** Ends of quick sweeps, rising, their lags falling: a shorter one before a longer one says nothing. */
  readonly #ends: { readonly at: Millis; readonly lagMs: Millis }[] = []
  #slowEndAt: Millis = -Infinity

  bumped(version: number, now: Millis): void {
    const bumps = this.#bumps
    while (bumps[0] !== undefined && bumps[0].at < now - WINDOW_MS) bumps.shift()
    const last = bumps.at(-1)
    if (last === undefined || last.at <= now - GRAIN_MS) bumps.push({ version, at: now })
  }

  /** Older homes may have heard of ends until now, and it may be that only they told of them. */
  opened(now: Millis): void {
    this.#slowEndAt = now
  }

  /** What was left of this version, and perhaps of later ones, is swept. */
  swept(version: number, now: Millis): void {
    const lagMs = now - this.#atOf(version)
    if (lagMs > QUICK_MS) {
      this.#slowEndAt = now
      return
    }
    const ends = this.#ends
    while ((ends.at(-1)?.lagMs ?? Infinity) <= lagMs) ends.pop()
    ends.push({ at: now, lagMs })
  }

  /** The clock stood still: what was before is longer ago than it says. */
  suspended(): void {
    this.#bumps = []
  }

  /** `oldest`: the first version of which something is left; Infinity: none. */
  promise(oldest: number, now: Millis): SweptPromise {
    const ends = this.#ends
    while (ends[0] !== undefined && ends[0].at < now - WINDOW_MS) ends.shift()
    return {
      since: oldest === Infinity ? Infinity : this.#atOf(oldest),
      lagMs: ends[0]?.lagMs ?? 0,
      slowEndAt: this.#slowEndAt < now - WINDOW_MS ? -Infinity : this.#slowEndAt,
    }
  }

  /** It was made then, or later; -Infinity: too long ago, or by an older home. */
  #atOf(version: number): Millis {
    return this.#bumps.findLast((bump) => bump.version <= version)?.at ?? -Infinity
  }
}
