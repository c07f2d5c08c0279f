/**
 * What comes for a client that sleeps now and then, as a laptop does whose lid is closed: it waits until the client awakes, which goes on
 * with what it has before it hears of anything.
 *
 *   awake    arrived ──▶ at once
 *   asleep   arrived ──▶ waits          awakes: what it does by itself ──▶ what waits, in order ──▶ on
 */
import type { Millis } from '../base/ids.ts'
import type { World } from './world.ts'

export class Inbox {
  readonly #world: World
  /** Null: the client is awake. */
  #waiting: (() => void)[] | null = null

  constructor(world: World) {
    this.#world = world
  }

  arrived(work: () => void): void {
    if (this.#waiting === null) work()
    else this.#waiting.push(work)
  }

  /** `awakes`: what it does before it hears of anything. */
  sleep(ms: Millis, tag: string, awakes: () => void, done: () => void): void {
    const waiting: (() => void)[] = []
    this.#waiting = waiting
    this.#world.at(ms, tag, () => {
      awakes()
      this.#waiting = null
      for (const work of waiting) work()
      done()
    })
  }
}
