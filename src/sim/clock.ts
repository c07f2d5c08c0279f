/**
 * The clock of one life of one simulated node. It runs a little fast or slow (`driftPpm`), its wall is off by minutes
 * and may jump, and it stops when the node is paused: what was due meanwhile comes all at once afterwards, as after
 * SIGCONT. It dies with its life: no timer of a crashed node ever fires.
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
    return this.#origin + (this.#world.now - this.#born) * this.#rate
  }

  wall(): number {
    return WALL_EPOCH_MS + this.#wallOffsetMs + this.#world.now
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#world.at(Math.max(0, delayMs) / this.#rate + LATE_MS, this.#timerTag, () => this.#life.run(run))
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
