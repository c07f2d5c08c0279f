/**
 * Clients that keep copies of a cache beside those that only use it. In the end, when nothing changes any more, each comes back
 * once more and hears the rest: then what it holds is what there is.
 */
import type { Millis } from '../base/ids.ts'
import type { CacheContext } from './cache-workload.ts'
import type { Dice } from './dice.ts'
import { NearClient, type NearContext, heldOf } from './near-client.ts'
import { NearHistory } from './near-history.ts'
import { WatchAudit } from './watch-audit.ts'
import { Clients } from './workload.ts'
import { SimFailure } from './world.ts'

const THINK_MEAN_MS = 60
const LOOK_AGAIN_MS = 150
const AGREED_MS: Millis = 10_000

export class NearClients {
  readonly hits = new NearHistory()
  readonly audit: WatchAudit
  readonly #context: NearContext
  readonly #clients: Clients
  #all: readonly NearClient[] = []
  #isCalm = false

  constructor(context: CacheContext) {
    const { cluster, options } = context
    this.audit = new WatchAudit(cluster)
    this.#context = { ...context, hits: this.hits, audit: this.audit, mangles: () => options.mangled && !this.#isCalm }
    this.#clients = new Clients(cluster.world)
  }

  start(): void {
    const create = (nth: number, dice: Dice): NearClient => new NearClient(nth + 1, dice, this.#context)
    this.#all = this.#clients.many(this.#context.options.nearClients, 'near client', create, () => THINK_MEAN_MS)
  }

  stop(): void {
    this.#clients.stop()
    this.#isCalm = true
  }

  get busy(): number {
    return this.#clients.busy
  }

  /** Nothing is written any more. */
  settle(done: () => void): void {
    const { cluster } = this.#context
    const deadline = Math.max(cluster.world.now, cluster.network.heldUntil) + AGREED_MS
    let unsettled = this.#all.length
    if (unsettled === 0) return done()
    for (const client of this.#all) {
      client.rouse()
      this.#agree(client, deadline, () => {
        if (--unsettled === 0) done()
      })
    }
  }

  #agree(client: NearClient, deadline: Millis, done: () => void): void {
    const { world } = this.#context.cluster
    this.#differs(client, client.keys, (difference) => {
      if (difference === null) return done()
      if (world.now > deadline)
        return world.fail(new SimFailure(`near: ${client.id} (${client.kind}, at ${client.gateway}) in the end: ${difference}`))
      if (client.isInForce) client.ask()
      else client.connect()
      world.at(LOOK_AGAIN_MS, 'near client settles', () => this.#agree(client, deadline, done))
    })
  }

  /** What it holds and there is not; or why it may not serve. */
  #differs(client: NearClient, [key, ...others]: readonly string[], done: (difference: string | null) => void): void {
    if (!client.isInForce) return done('it has no subscription')
    if (key === undefined) return done(client.kind === 'events' || client.now < client.near.leaseUntil ? null : 'it has no lease')
    client.look(key, (seen) => {
      if (seen === null) return done(`nobody knows ${key}`)
      const [is, held] = [heldOf(seen), client.near.held(key)]
      if (held !== undefined && held.version !== is.version) return done(`it holds version ${held.version} of ${key}, not ${is.version}`)
      this.#differs(client, others, done)
    })
  }

  check(): void {
    const { history, options, writeback } = this.#context
    this.hits.check(history, options.ttlShare > 0, (open) => writeback?.lone.countsFrom(open) ?? open.endedAt)
  }
}
