/**
 * One kind of work: the clients of one kind of state machine, what they saw, and what must hold in its replicas. The run
 * knows nothing else of what the groups are for; another machine is another file like `lock-workload.ts` and a line in
 * `run.ts`.
 *
 *   checkers ──> the observer, after every event         start ─> … chaos … ─> stop ─> busy = 0 ─> ask each node ─> check
 */
import type { Millis } from '../base/ids.ts'
import type { Checker } from './checkers/checker.ts'
import type { SimNode } from './cluster.ts'
import type { Dice } from './dice.ts'
import type { World } from './world.ts'

export interface WorkloadTally {
  /** Operations whose histories are checked. */
  readonly operations: number
  readonly acknowledged: number
  readonly unknown: number
}

export interface Workload {
  /** The invariants of its machine, and of what its clients were told. */
  readonly checkers: readonly Checker[]
  readonly tally: WorkloadTally
  /** Keys of which something was read that was not current any more, where that may be. */
  readonly stale?: number
  /** Operations under way. */
  readonly busy: number
  /** Requests that wait for an answer of some node. */
  readonly open: number
  start(): void
  /** No new operations; those under way go on to their end. */
  stop(): void
  /** A life is about to end; `isStopped`: it was asked to, and was not killed for it. */
  nodeEnding?(node: SimNode, isStopped: boolean): void
  /** A node says that something is wrong. */
  warned?(node: SimNode, message: string, fields: Readonly<Record<string, unknown>>): void
  /** A life ended: whoever waited for it knows nothing. */
  nodeEnded(node: SimNode): void
  /** The last phase: a request through this node, the `at`th, that has to succeed. */
  ask(node: SimNode, at: number, timeoutMs: number, done: () => void): void
  /** Throws where what the clients saw cannot be. Gives how many searches were given up. */
  check(): number
}

/** Something that does one thing after another until it is told to stop. */
export interface Client {
  act(done: () => void): void
}

/** Clients at their pace: think, act, think again. */
export class Clients {
  readonly #world: World
  #running = true
  #busy = 0

  constructor(world: World) {
    this.#world = world
  }

  /** So many of a kind, each with dice of its own. `paceOf`: how long it thinks on average. */
  many<C extends Client>(count: number, kind: string, create: (nth: number, dice: Dice) => C, paceOf: (dice: Dice) => Millis): C[] {
    return Array.from({ length: count }, (_, nth) => {
      const dice = this.#world.dice.fork(`${kind} ${nth}`)
      const client = create(nth, dice)
      this.run(client, dice, paceOf(dice))
      return client
    })
  }

  run(client: Client, dice: Dice, thinkMeanMs: Millis): void {
    this.#world.at(dice.exponential(thinkMeanMs), 'client thinks', () => {
      if (!this.#running) return
      this.#busy++
      client.act(() => {
        this.#busy--
        this.run(client, dice, thinkMeanMs)
      })
    })
  }

  stop(): void {
    this.#running = false
  }

  get busy(): number {
    return this.#busy
  }
}
