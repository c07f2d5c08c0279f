/**
 * Clients that are lent copies of a cache, beside those that only use it. In the end, when nothing changes any more, each of them is
 * lent what there is.
 */
import type { Millis } from '../base/ids.ts'
import type { CacheContext } from './cache-workload.ts'
import type { Dice } from './dice.ts'
import { LentClient } from './lent-client.ts'
import { Clients } from './workload.ts'
import { SimFailure } from './world.ts'

const THINK_MEAN_MS = 40
const LOOK_AGAIN_MS = 150
const ANSWER_MS = 2_000
const LENT_MS: Millis = 10_000

export class LentClients {
  readonly #context: CacheContext
  readonly #clients: Clients
  #all: readonly LentClient[] = []

  constructor(context: CacheContext) {
    this.#context = context
    this.#clients = new Clients(context.cluster.world)
  }

  start(): void {
    const create = (nth: number, dice: Dice): LentClient => new LentClient(nth + 1, dice, this.#context)
    this.#all = this.#clients.many(this.#context.options.lentClients, 'lent client', create, () => THINK_MEAN_MS)
  }

  stop(): void {
    this.#clients.stop()
  }

  get busy(): number {
    return this.#clients.busy
  }

  /** What they served of their own. */
  get hits(): number {
    return this.#all.reduce((sum, { hits }) => sum + hits, 0)
  }

  /** Nothing is written any more. */
  settle(done: () => void): void {
    const { cluster } = this.#context
    const deadline = Math.max(cluster.world.now, cluster.network.heldUntil) + LENT_MS
    let unsettled = this.#all.length
    if (unsettled === 0) return done()
    for (const client of this.#all) {
      this.#lend(client, client.keys, deadline, () => {
        if (--unsettled === 0) done()
      })
    }
  }

  #lend(client: LentClient, keys: readonly string[], deadline: Millis, done: () => void): void {
    const { cluster, writeback } = this.#context
    const { world } = cluster
    const [key, ...others] = keys
    if (key === undefined) return done()
    client.rouse()
    let isOver = false
    const next = (isLent: boolean): void => {
      if (isOver) return
      isOver = true
      if (isLent) return this.#lend(client, others, deadline, done)
      if (world.now > deadline) return world.fail(new SimFailure(`lent: ${client.id} (at ${client.gateway}) is not lent ${key} in the end`))
      client.connect()
      world.at(LOOK_AGAIN_MS, 'lent client settles', () => this.#lend(client, keys, deadline, done))
    }
    // What its owner may write alone is lent to nobody.
    client.look(key, (answer) => next(answer !== null && (answer.lent !== null || answer.read.entry === null || writeback !== null)))
    world.at(ANSWER_MS, 'lent client looks again', () => next(false))
  }
}
