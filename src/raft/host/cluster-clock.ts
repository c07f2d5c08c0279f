/**
 * Time as leases know it. Two steps:
 *
 *   Uptime        this process awake: grows by min(delta, 2 ticks) at each host tick, so a pause (SIGSTOP, a long
 *                 stall, a suspended machine) counts as two ticks at most
 *   ClusterClock  T of one group: the leader continues from the last applied T by its own uptime
 *
 * T never goes back; it stands still while there is no leader; and no pause of a leader can expire many leases at
 * once. Pure: the callers bring the monotonic clock.
 *
 * What a leader knows of T and has not written dies with it: the next one begins at the last entry. So while something
 * waits for T an entry says it now and then (`pulseMs`), also where nothing else is to be said.
 */
import { assert } from '../../base/assert.ts'
import type { Millis } from '../../base/ids.ts'

const PULSE_MIN_MS: Millis = 2_000
const PULSE_MAX_MS: Millis = 60_000
const PULSES_MIN = 16

/**
 * How far T may run ahead of the last entry while the next deadline is `remainingMs` after that entry: a sixteenth, so a
 * failover makes no deadline later than by that share of what was left of it, but not less than 2 s (a lease of half a
 * minute costs 15 small entries) nor more than a minute (a queue whose messages live for two weeks sleeps between two).
 * Infinity where nothing waits for T.
 */
export function pulseMs(remainingMs: Millis): Millis {
  if (remainingMs === Infinity) return Infinity
  return Math.min(Math.max(remainingMs / PULSES_MIN, PULSE_MIN_MS), PULSE_MAX_MS)
}

export class Uptime {
  readonly #stepMax: Millis
  #last: Millis
  #uptime: Millis = 0

  constructor(now: Millis, tickMs: Millis) {
    this.#last = now
    this.#stepMax = 2 * tickMs
  }

  /** `now` is monotonic. Called at each tick and before each stamp. */
  advance(now: Millis): Millis {
    this.#uptime += Math.min(Math.max(now - this.#last, 0), this.#stepMax)
    this.#last = Math.max(now, this.#last)
    return this.#uptime
  }

  get value(): Millis {
    return this.#uptime
  }
}

export class ClusterClock {
  #applied: Millis = 0
  #base: Millis = 0
  #since: Millis = 0
  #leading = false

  /** The time of the last entry that was applied: the latest T that is beyond doubt. */
  get applied(): Millis {
    return this.#applied
  }

  /** This replica became leader at `uptime`. */
  lead(uptime: Millis): void {
    this.#base = this.#applied
    this.#since = uptime
    this.#leading = true
  }

  /** Leads no more. What it stamped and nobody committed never was. */
  follow(): void {
    this.#leading = false
  }

  /** An entry stamped `time` is applied at `uptime`: T is never behind it. */
  observe(time: Millis, uptime: Millis): void {
    if (time > this.read(uptime)) {
      this.#base = time
      this.#since = uptime
    }
    this.#applied = Math.max(this.#applied, time)
  }

  /** T now, on the leader; elsewhere the latest T that was applied. Whole milliseconds: all that is said of leases is. */
  read(uptime: Millis): Millis {
    if (!this.#leading) return this.#applied
    assert(uptime >= this.#since, 'uptime went back')
    return Math.floor(this.#base + (uptime - this.#since))
  }
}
