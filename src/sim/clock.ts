/**
 * The clock of one life of one simulated node. It runs a little fast or slow (`driftPpm`), its wall is off by minutes
 * and may jump. What was due while the node was paused comes all at once afterwards, as after SIGCONT; while its machine is suspended
 * the wall goes on and the rest stands still, and timers are late by as much. It dies with its life: no timer of a crashed node ever fires.
 */
import type { Clock, Timer } from '../io/clock.ts'
import type { NodeLife } from './life.ts'
import type { World } from './world.ts'

/** Where the wall clocks stand at the beginning, give or take. */
export const WALL_EPOCH_MS = 1_790_000_000_000
/** Timers are late by this: more than the rounding of `now`, so that no timer ever finds its time still ahead of it. */
const LATE_MS = 1e-6

export class SimClock implements Clock {
  readonly #world: World
  readonly #life: NodeLife
  readonly #rate: number
  readonly #born: number
  readonly #origin: number
  readonly #wallOffsetMs: number
  readonly #timerTag: string
  readonly #deferTag: string
  /** Suspended so far, and since when it is now. */
  #suspendedMs = 0
  #suspendedAt: number | null = null

  constructor(
    world: World,
    life: NodeLife,
    options: { readonly driftPpm: number; readonly wallOffsetMs: number; readonly originMs: number },
  ) {
    this.#world = world
    this.#life = life
    this.#rate = 1 + options.driftPpm / 1e6
    this.#born = world.now
    this.#origin = options.originMs
    this.#wallOffsetMs = options.wallOffsetMs
    this.#timerTag = `timer ${life.node}`
    this.#deferTag = `turn ${life.node}`
  }

  now(): number {
    return this.#origin + ((this.#suspendedAt ?? this.#world.now) - this.#born - this.#suspendedMs) * this.#rate
  }

  wall(): number {
    return WALL_EPOCH_MS + this.#wallOffsetMs + this.#world.now
  }

  after(delayMs: number, run: () => void): Timer {
    const due = this.now() + Math.max(0, delayMs)
    const fire = (): void => {
      // It was suspended meanwhile.
      if (this.now() < due) timer = this.#at(due - this.now(), fire)
      else run()
    }
    let timer = this.#at(Math.max(0, delayMs), fire)
    return { cancel: () => timer.cancel() }
  }

  #at(delayMs: number, run: () => void): Timer {
    return this.#world.at(delayMs / this.#rate + LATE_MS, this.#timerTag, () => this.#life.run(run))
  }

  suspend(): void {
    this.#suspendedAt = this.#world.now
  }

  resume(): void {
    if (this.#suspendedAt === null) return
    this.#suspendedMs += this.#world.now - this.#suspendedAt
    this.#suspendedAt = null
  }

  defer(run: () => void): void {
    this.#world.at(0, this.#deferTag, () =>
      this.#life.run(() => {
        this.#life.touched = true
        run()
      }),
    )
  }
}
