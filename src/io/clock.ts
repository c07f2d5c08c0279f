/**
 * The only source of time and of "later". Three implementations: the system's (`clock-system.ts`),
 * and the simulator's virtual one. No other file reads a clock or sets a timer (`test/tidy.test.ts`).
 */
import type { Millis } from '../base/ids.ts'

export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Monotonic milliseconds (fractional), meaningful on this node only: timeouts, durations. May stand still while the machine is suspended. */
  now(): Millis
  /** Milliseconds since the epoch; may jump. For display, logs and spans, and to see suspensions (`suspend-aware-clock.ts`): else nothing is decided by it. */
  wall(): Millis
  /** Runs `run` once, not before `delayMs` from now. */
  after(delayMs: Millis, run: () => void): Timer
  /** Runs `run` after the current turn of the event loop. Mailboxes are drained here. */
  defer(run: () => void): void
}
