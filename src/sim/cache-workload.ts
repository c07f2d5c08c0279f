/**
 * The work on caches: clients on all nodes, a few keys, copies everywhere; what they saw is checked key by key.
 *
 *   configured ─▶ clients: get, put, increment, delete, load, invalidate ─▶ stop ─▶ a write through each node ─▶ check
 */
import type { CacheConfig } from '../cache/types.ts'
import { Attempts } from './attempts.ts'
import { CacheClient } from './cache-client.ts'
import { CacheHistory } from './cache-history.ts'
import { gateBound } from './checkers/gate-bound.ts'
import type { Checker } from './checkers/checker.ts'
import { oneOwner } from './checkers/one-owner.ts'
import type { Running, SimCluster, SimNode } from './cluster.ts'
import type { Dice } from './dice.ts'
import { DurabilitySwitch } from './durability-switch.ts'
import { Favourites } from './favourites.ts'
import { FinalLine } from './final-line.ts'
import { LentClients } from './lent-workload.ts'
import { LoneWrites } from './lone-writes.ts'
import { NearClients } from './near-workload.ts'
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
  /** Whether nodes write lines alone; `switched`: now and then they do not. */
  readonly writeback: 'never' | 'always' | 'switched'
  /** Clients that keep copies of their own. */
  readonly nearClients: number
  /** What they are told is lost, doubled and late on its way. */
  readonly mangled: boolean
  /** Clients that are lent copies which are never old. */
  readonly lentClients: number
}

export function keysOf({ keys, tagged }: CacheWorkloadOptions): readonly string[] {
  return Array.from({ length: keys }, (_, i) => (tagged && i === 0 ? `${LEVEL}k${i}` : `k${i}`))
}

/** The levels that a key lies below, as tags. */
export function levelsOf(key: string, { tagged }: CacheWorkloadOptions): readonly string[] {
  return tagged && key.startsWith(LEVEL) ? [LEVEL] : []
}

/** What a client asks of the caches of a node, or puts into them in a transaction. */
export type Request = (
  running: Running,
  options: { readonly timeoutMs: number; readonly idempotencyKey?: { readonly key: string; readonly fingerprint: string } },
) => Promise<object>

export interface CacheContext {
  readonly cluster: SimCluster
  readonly options: CacheWorkloadOptions
  readonly attempts: Attempts<Request, object>
  readonly history: CacheHistory
  /** Of a time to live: so much is left of it on the fastest of all clocks. */
  readonly lifeShare: number
  /** Null where all goes through the log. */
  readonly writeback: Writeback | null
}

/** Of a cache whose lines nodes write alone. */
export interface Writeback {
  readonly favourites: Favourites
  readonly durability: DurabilitySwitch
  readonly lone: LoneWrites
}

const RETRY_MS = 250
const CONFIGURE_MS = 1_000
const SWITCH_MEAN_MS = 3_000

export class CacheWorkload implements Workload {
  readonly checkers: readonly Checker[]
  readonly #context: CacheContext
  readonly #clients: Clients
  readonly #near: NearClients
  readonly #lent: LentClients
  readonly #isBroken: boolean
  #stopped = false
  #configuring = 0
  stale = 0

  /** `isBroken`: clocks are wrong beyond the bound. */
  constructor(cluster: SimCluster, options: CacheWorkloadOptions, isBroken: boolean) {
    const { world } = cluster
    this.#isBroken = isBroken
    const attempts = new Attempts<Request, object>(cluster, world.dice.fork('cache attempts'), (running, request, given, done) => {
      request(running, given).then(done, done)
      return { cancel: () => undefined }
    })
    const lifeShare = 0.99 - (2 * cluster.options.driftPpm) / 1e6
    const history = new CacheHistory(() => world.now)
    const writeback = options.writeback === 'never' ? null : startWriteback(cluster, attempts, history, keysOf(options))
    this.#context = { cluster, options, attempts, history, lifeShare, writeback }
    this.checkers = writeback === null ? [gateBound(cluster)] : [gateBound(cluster), oneOwner(cluster), writeback.lone]
    this.#clients = new Clients(world)
    this.#near = new NearClients(this.#context)
    this.#lent = new LentClients(this.#context)
  }

  start(): void {
    const { tagged, writeback } = this.#context.options
    if (tagged || writeback !== 'never') this.#configure()
    else this.#begin()
  }

  /** Before it is used: a new level takes everything away. One of which nobody knows what became may do so later. */
  #configure(): void {
    const { cluster, attempts, history, options } = this.#context
    const config: Partial<CacheConfig> = {
      ...(options.tagged && { levels: ['/'] }),
      ...(options.writeback !== 'never' && { durability: 'writeback' }),
    }
    const request: Request = ({ caches }, more) => caches.configure(CACHE, config, more)
    this.#configuring++
    attempts.run(request, { timeoutMs: CONFIGURE_MS, key: '', cancelAfterMs: Infinity }, (answer) => {
      this.#configuring--
      if (answer.type === 'reply') return this.#stopped ? undefined : this.#begin()
      if (this.#context.options.writeback === 'switched') this.#context.writeback?.durability.doubt()
      const opens = keysOf(this.#context.options).map((key) => history.begin(key))
      for (const open of opens) history.end(open, { kind: 'invalidate', tag: '', at: cluster.world.now, removed: null }, false)
      if (!this.#stopped) cluster.world.at(RETRY_MS, 'configure again', () => this.#configure())
    })
  }

  #begin(): void {
    const { cluster, options, writeback } = this.#context
    this.#near.start()
    this.#lent.start()
    if (writeback !== null && options.writeback === 'switched') {
      this.#clients.run(writeback.durability, cluster.world.dice.fork('durability'), SWITCH_MEAN_MS)
    }
    const pace = (0.8 * cluster.options.safetyMs) / options.opsMax
    const create = (nth: number, dice: Dice): CacheClient => new CacheClient(nth + 1, dice, this.#context)
    this.#clients.many(options.clients, 'cache client', create, () => pace)
  }

  stop(): void {
    this.#stopped = true
    this.#clients.stop()
    this.#near.stop()
    this.#lent.stop()
  }

  get busy(): number {
    return this.#clients.busy + this.#near.busy + this.#lent.busy + this.#configuring
  }

  get open(): number {
    return this.#context.attempts.open
  }

  nodeEnding(node: SimNode, isStopped: boolean): void {
    this.#context.writeback?.lone.ending(node, isStopped)
  }

  warned(...[node, message, fields]: Parameters<LoneWrites['logged']>): void {
    this.#context.writeback?.lone.logged(node, message, fields)
  }

  nodeEnded(node: SimNode): void {
    this.#context.attempts.nodeEnded(node)
  }

  get tally(): WorkloadTally {
    const { operations, acknowledged, unknown } = this.#context.history
    return { operations, acknowledged, unknown }
  }

  check(): number {
    this.#context.writeback?.lone.check()
    const { inconclusive, stale } = this.#context.history.check(this.#isBroken)
    this.stale = stale.length
    if (!this.#isBroken) this.#near.check()
    return inconclusive
  }

  ask(node: SimNode, at: number, timeoutMs: number, done: () => void): void {
    const settle = (): void => this.#near.settle(() => this.#lent.settle(done))
    const agreed = at === 0 ? settle : done
    new FinalLine(this.#context.cluster, node, `final${at}`, timeoutMs, agreed).write()
  }
}

function startWriteback(
  cluster: SimCluster,
  attempts: CacheContext['attempts'],
  history: CacheHistory,
  keys: readonly string[],
): Writeback {
  const dice = cluster.world.dice.fork('writeback')
  return {
    favourites: new Favourites(cluster, dice.fork('favourites')),
    durability: new DurabilitySwitch(attempts, history, dice.fork('durability')),
    lone: new LoneWrites(cluster, history, keys),
  }
}
