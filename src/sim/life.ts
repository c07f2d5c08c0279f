/**
 * One life of a node's process: from boot to crash. Everything that may wake the node's code goes through `run`:
 *
 *   alive    runs now
 *   paused   waits, in order, until `resume` (SIGSTOP: the kernel keeps timers, sockets and completed writes)
 *   dead     never runs: the memory is gone, so a promise of that life simply never resolves
 */
import type { NodeId } from '../base/ids.ts'
import type { World } from './world.ts'

export class NodeLife {
  readonly node: NodeId
  readonly #world: World
  /** Set when a turn of its actors ran (nothing else changes a replica); the checkers look and reset it. */
  touched = false
  #alive = true
  #paused = false
  #waiting: (() => void)[] = []

  constructor(world: World, node: NodeId) {
    this.#world = world
    this.node = node
  }

  get alive(): boolean {
    return this.#alive
  }
  get paused(): boolean {
    return this.#paused
  }

  run(work: () => void): void {
    if (!this.#alive) return
    if (this.#paused) this.#waiting.push(work)
    else work()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    const waiting = this.#waiting
    this.#waiting = []
    for (const work of waiting) this.#world.at(0, `resumed ${this.node}`, () => this.run(work))
  }

  end(): void {
    this.#alive = false
    this.#waiting = []
  }
}
