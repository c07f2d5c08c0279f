/**
 * The arithmetic of sessions. Clocks are not synchronised; the rate of each is right within `drift`.
 *
 *   node   sends renew ────────────────────────────────▶ until sent + leaseMs, on its clock
 *   home        asks a majority (s) ──▶ told yes ──▶ grants      until s + term(V), on its clock
 *
 * `leaseMs` is V less what had passed since s when the message arrived. So a node that is sure of its lease is within
 * V / (1 - drift) of s in true time, and whoever counts `waitMs` from s, or from a later election, is beyond it.
 */
import type { Millis } from '../../base/ids.ts'

export interface LeaseTimes {
  /** V: how long a session lasts after the confirmation it stands on. */
  readonly leaseMs: Millis
  /** By how much the rate of a clock may be wrong: 0.01 is 1 %. */
  readonly drift: number
  /** On top, for clocks that are read in whole milliseconds, and suspensions that are too short to be seen by the node, or by its home. */
  readonly marginMs: Millis
}

/** After that long on this clock a lease of V on another is over. */
export function waitMs({ leaseMs, drift, marginMs }: LeaseTimes): Millis {
  return Math.ceil((leaseMs * (1 + drift)) / (1 - drift)) + marginMs
}

/** What is left, for a request that arrived at `arrivedAt`, of a lease that stands on a confirmation asked for at `askedAt`. */
export function leaseLeftMs(leaseMs: Millis, askedAt: Millis, arrivedAt: Millis): Millis {
  return leaseMs - Math.max(0, arrivedAt - askedAt)
}

/** When to send again what was not answered: 50, 100, 200, 400, 400 … ms after the last time. */
export function retryMs(tries: number): Millis {
  return tries >= 3 ? 400 : 50 << tries
}
