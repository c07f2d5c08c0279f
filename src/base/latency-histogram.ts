/**
 * Counts durations by size: so many up to each bound, so many beyond the last. What a hot path does per event is a few
 * comparisons and three additions; nothing is kept of the events themselves, so none is ever missed. It only grows.
 */
import type { Millis } from './ids.ts'

/** Rising; each bucket takes what is above the bound before it and not above its own. */
export const LATENCY_BOUNDS_MS: readonly Millis[] = [0.5, 1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000]

/** What has been counted since the start. */
export interface LatencyCounts {
  /** One for each of LATENCY_BOUNDS_MS, then one for what is beyond the last. */
  readonly counts: ArrayLike<number>
  readonly count: number
  readonly sumMs: Millis
}

export class LatencyHistogram implements LatencyCounts {
  readonly counts = new Float64Array(LATENCY_BOUNDS_MS.length + 1)
  count = 0
  sumMs: Millis = 0

  observe(ms: Millis): void {
    let bucket = 0
    while (bucket < LATENCY_BOUNDS_MS.length && ms > LATENCY_BOUNDS_MS[bucket]!) bucket++
    this.counts[bucket]!++
    this.count++
    this.sumMs += ms
  }
}
