/**
 * Virtual time for tests of whole nodes in one process: nothing happens but what was asked for, and waiting costs
 * nothing. `until` runs what is ready, and only when nothing is, jumps to the next timer.
 */
import type { Clock, Timer } from '../src/io/clock.ts'

interface Waiting {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

export class ManualClock implements Clock {
  #now = 0
  #suspendedMs = 0
  #order = 0
  #deferred: (() => void)[] = []
  readonly #timers = new Set<Waiting>()

  now(): number {
    return this.#now
  }

  wall(): number {
    return 1_700_000_000_000 + this.#now + this.#suspendedMs
  }

  /** The machine is suspended for so long, or its wall is set: timers and the monotonic clock notice nothing. */
  suspend(ms: number): void {
    this.#suspendedMs += ms
  }

  after(delayMs: number, run: () => void): Timer {
    const waiting = { at: this.#now + Math.max(0, delayMs), order: this.#order++, run }
    this.#timers.add(waiting)
    return { cancel: () => void this.#timers.delete(waiting) }
  }

  /** How many timers wait. */
  get waiting(): number {
    return this.#timers.size
  }

  defer(run: () => void): void {
    this.#deferred.push(run)
  }

  /** Runs everything that needs no time: deferred turns, and whatever promises resolve meanwhile. */
  async settle(): Promise<void> {
    do {
      const turns = this.#deferred
      this.#deferred = []
      for (const run of turns) run()
      // Not a delay: the one way to let every promise that can resolve do so.
      await new Promise<void>((resolve) => setImmediate(resolve))
    } while (this.#deferred.length > 0)
  }

  /** Lets time pass until `reached`. Throws where that takes more than `limitMs` of virtual time. */
  async until(reached: () => boolean, what: string, limitMs = 60_000): Promise<void> {
    const end = this.#now + limitMs
    for (await this.settle(); !reached(); await this.settle()) {
      if (!this.#jump(end)) throw new Error(`never happened within ${limitMs} ms: ${what}`)
    }
  }

  /** Lets this much time pass. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms
    for (await this.settle(); this.#jump(end);) await this.settle()
    this.#now = end
  }

  /** This much time passes at once: what is due runs before anything that was deferred. */
  jump(ms: number): void {
    const end = this.#now + ms
    while (this.#jump(end)) continue
    this.#now = end
  }

  /** To the next timer, unless it is after `end`; runs all that are due then. */
  #jump(end: number): boolean {
    let next = Infinity
    for (const { at } of this.#timers) next = Math.min(next, at)
    if (next > end) return false
    this.#now = Math.max(this.#now, next)
    const due = [...this.#timers].filter(({ at }) => at <= this.#now).sort((a, b) => a.at - b.at || a.order - b.order)
    for (const waiting of due) if (this.#timers.delete(waiting)) waiting.run()
    return true
  }
}
