/**
 * The work on caches: clients on all nodes, a few keys, copies everywhere; what they saw is checked key by key.
 *
 *   configured ─▶ clients: get, put, increment, delete, load, invalidate ─▶ stop ─▶ a write through each node ─▶ check
 */
import type { Caches } from '../cache/types.ts'
import { Attempts } from './attempts.ts'
import { CacheClient } from './cache-client.ts'
import { CacheHistory } from './cache-history.ts'
import { gateBound } from './checkers/gate-bound.ts'
import type { Checker } from './checkers/checker.ts'
import type { SimCluster, SimNode } from './cluster.ts'
import { FinalLine } from './final-line.ts'
import { Clients, type Workload, type WorkloadTally } from './workload.ts'

export const CACHE = { namespace: 'sim', cache: 'lines' } as const
export const TAGS: readonly string[] = ['red', 'blue']
export const LEVEL = 'a/'

export interface CacheWorkloadOptions {
  readonly clients: number
  readonly keys: number
  readonly timeoutMs: number
  /** Per client: more would make the search for a linearization slow. */
  readonly opsMax: number
  readonly readShare: number
  readonly retryShare: number
  readonly ttlShare: number
  /** Values carry tags, and one key lies below a level. */
  readonly tagged: boolean
}

export function keysOf({ keys, tagged }: CacheWorkloadOptions): readonly string[] {
  return Array.from({ length: keys }, (_, i) => (tagged && i === 0 ? `${LEVEL}k${i}` : `k${i}`))
}

/** The levels that a key lies below, as tags. */
export function levelsOf(key: string, { tagged }: CacheWorkloadOptions): readonly string[] {
  return tagged && key.startsWith(LEVEL) ? [LEVEL] : []
}

/** What a client asks of the caches of a node. */
export type Request = (
  caches: Caches,
  options: { readonly timeoutMs: number; readonly idempotencyKey?: { readonly key: string; readonly fingerprint: string } },
) => Promise<object>

export interface CacheContext {
  readonly cluster: SimCluster
  readonly options: CacheWorkloadOptions
  readonly attempts: Attempts<Request, object>
  readonly history: CacheHistory
  /** Of a time to live: so much is left of it on the fastest of all clocks. */
  readonly lifeShare: number
}

const RETRY_MS = 250
const CONFIGURE_MS = 1_000

export class CacheWorkload implements Workload {
  readonly checkers: readonly Checker[]
  readonly #context: CacheContext
  readonly #clients: Clients
  readonly #isBroken: boolean
  #stopped = false
  #configuring = 0
  stale = 0

  /** `isBroken`: clocks are wrong beyond the bound. */
  constructor(cluster: SimCluster, options: CacheWorkloadOptions, isBroken: boolean) {
    const { world } = cluster
    this.checkers = [gateBound(cluster)]
    this.#isBroken = isBroken
    const attempts = new Attempts<Request, object>(cluster, world.dice.fork('cache attempts'), ({ caches }, request, given, done) => {
      request(caches, given).then(done, done)
      return { cancel: () => undefined }
    })
    const lifeShare = 0.99 - (2 * cluster.options.driftPpm) / 1e6
    this.#context = { cluster, options, attempts, history: new CacheHistory(), lifeShare }
    this.#clients = new Clients(world)
  }

  start(): void {
    if (this.#context.options.tagged) this.#configure()
    else this.#begin()
  }

  /** Before it is used: a new level takes everything away. One of which nobody knows what became may do so later. */
  #configure(): void {
    const { cluster, attempts, history } = this.#context
    const request: Request = (caches, more) => caches.configure(CACHE, { levels: ['/'] }, more)
    this.#configuring++
    attempts.run(request, { timeoutMs: CONFIGURE_MS, key: '', cancelAfterMs: Infinity }, (answer) => {
      this.#configuring--
      if (answer.type === 'reply') return this.#stopped ? undefined : this.#begin()
      const opens = keysOf(this.#context.options).map((key) => history.begin(key))
      for (const open of opens) history.end(open, { kind: 'invalidate', tag: '', at: cluster.world.now, removed: null }, false)
      if (!this.#stopped) cluster.world.at(RETRY_MS, 'configure again', () => this.#configure())
    })
  }

  #begin(): void {
    const { cluster, options } = this.#context
    for (let i = 0; i < options.clients; i++) {
      const dice = cluster.world.dice.fork(`cache client ${i}`)
      this.#clients.run(new CacheClient(i + 1, dice, this.#context), dice, (0.8 * cluster.options.safetyMs) / options.opsMax)
    }
  }

  stop(): void {
    this.#stopped = true
    this.#clients.stop()
  }

  get busy(): number {
    return this.#clients.busy + this.#configuring
  }

  get open(): number {
    return this.#context.attempts.open
  }

  nodeEnded(node: SimNode): void {
    this.#context.attempts.nodeEnded(node)
  }

  get tally(): WorkloadTally {
    const { operations, acknowledged, unknown } = this.#context.history
    return { operations, acknowledged, unknown }
  }

  check(): number {
    const { inconclusive, stale } = this.#context.history.check(this.#isBroken)
    this.stale = stale.length
    return inconclusive
  }

  ask(node: SimNode, at: number, timeoutMs: number, done: () => void): void {
    new FinalLine(this.#context.cluster, node, `final${at}`, timeoutMs, done).write()
  }
}
