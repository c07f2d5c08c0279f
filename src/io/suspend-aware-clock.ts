/**
 * A clock for promises that end: it goes on while the machine is suspended. On Linux the monotonic clock stands still then, and
 * the wall clock does not; in a virtual machine that is frozen, likewise. So the difference of the two is looked at with each reading:
 *
 *   wall - monotonic    ─────────────┐ grows by more than a rounding: it was suspended for that long, or the wall was set forward
 *                                    └──────── falls: the wall was set back, and the next difference is held against this one
 *
 * A wall that was set forward looks like a suspension: what is counted on `now` ends early. One that was set back lengthens nothing. Only
 * a machine on which both clocks stand still is not seen.
 */
import type { Millis } from '../base/ids.ts'
import type { Clock, Timer } from './clock.ts'

/** Suspensions that are shorter in all are not seen: the wall has whole milliseconds, and the two are not read in one instant. */
export const UNSEEN_MS: Millis = 10

export class SuspendAwareClock implements Clock {
  /** What it reads: for what must not end early, once `running` has looked. */
  readonly monotonic: Clock
  /** The smallest since it was last counted. */
  #difference = Infinity
  #suspendedMs: Millis = 0
  #runningSince: Millis = -Infinity

  constructor(clock: Clock) {
    this.monotonic = clock
    this.running()
  }

  /** Monotonic, suspensions included: never behind what has passed by more than `UNSEEN_MS`. */
  now(): Millis {
    return this.running() + this.#suspendedMs
  }

  /** Monotonic, without them: for what must not end early. */
  running(): Millis {
    const now = this.monotonic.now()
    const difference = this.monotonic.wall() - now
    if (difference < this.#difference) this.#difference = difference
    else if (difference > this.#difference + UNSEEN_MS) {
      this.#suspendedMs += difference - this.#difference
      this.#difference = difference
      this.#runningSince = now
    }
    return now
  }

  /** By `running`: when the last suspension was seen. Two readings since then are as far apart as they look. */
  get runningSince(): Millis {
    return this.#runningSince
  }

  wall(): Millis {
    return this.monotonic.wall()
  }

  after(delayMs: Millis, run: () => void): Timer {
    return this.monotonic.after(delayMs, run)
  }

  defer(run: () => void): void {
    this.monotonic.defer(run)
  }
}
