/** How long an entry lives. */
import type { Millis } from '../../base/ids.ts'

/** A read comes to the log by so much later than it was, of the life it gave: an eighth. */
export function slidingDeadline(slidingMs: Millis, time: Millis): Millis {
  return time + slidingMs + Math.ceil(slidingMs / 8)
}

/** Of what is written now; Infinity: for ever. */
export function deadlineOf(ttlMs: Millis | null, slidingMs: Millis, time: Millis): Millis {
  if (ttlMs !== null) return time + ttlMs
  return slidingMs > 0 ? slidingDeadline(slidingMs, time) : Infinity
}
