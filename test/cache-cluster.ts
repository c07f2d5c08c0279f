/**
 * Whole nodes with their caches and their HTTP application in one process, in virtual time: local bus, memory disks, no socket. A node can
 * be killed (nothing is flushed), links can be cut or slow. What is counted is counted exactly, for nothing is sent twice by chance.
 */
import type { Hono } from 'hono'
import { createApp } from '../src/api/app.ts'
import type { Backend } from '../src/api/backend.ts'
import { GatewayMetrics } from '../src/api/metrics.ts'
import { ProducerTraces } from '../src/api/producer-traces.ts'
import type { Env } from '../src/api/request.ts'
import { PastSubscriptions } from '../src/api/socket/past-subscriptions.ts'
import type { NodeId } from '../src/base/ids.ts'
import { Prng } from '../src/base/prng.ts'
import { openIdentity } from '../src/cluster/identity.ts'
import { parseConfig } from '../src/config.ts'
import { createBackend, serverOptions } from '../src/gateway.ts'
import { loadHash } from '../src/io/hash.ts'
import { createMemoryStorage } from '../src/io/storage-memory.ts'
import { createLocalBus } from '../src/io/transport-local.ts'
import { type Node, createNode } from '../src/node.ts'
import { NO_LOG } from '../src/telemetry/log.ts'
import { lossyTransport } from './lossy-transport.ts'
import { ManualClock } from './manual-clock.ts'

const hash = await loadHash()
const PARTITIONS = 1

export interface CacheNode {
  readonly node: Node
  readonly backend: Backend
  readonly app: Hono<Env>
}

export class CacheCluster {
  readonly clock = new ManualClock()
  readonly nodes = new Map<NodeId, CacheNode>()
  readonly bugs: unknown[] = []
  /** `n1>n2`: frames from n1 to n2 are lost, or so much late. */
  readonly cut = new Set<string>()
  readonly lagMs = new Map<string, number>()
  readonly #bus = createLocalBus(this.clock)
  readonly #random = new Prng(7)
  readonly #sets: readonly string[]

  constructor(sets: readonly string[]) {
    this.#sets = sets
  }

  async start(ids: readonly NodeId[]): Promise<void> {
    await this.ask(Promise.all(ids.map((id) => this.#start(id, ids))), 'the nodes start')
    await this.clock.until(() => this.home() !== null, 'a home speaks')
  }

  async #start(id: NodeId, ids: readonly NodeId[]): Promise<void> {
    const { clock } = this
    const own = [
      `cluster.node_id=${id}`,
      `cluster.peers=${ids.join()}`,
      `cluster.partitions=${PARTITIONS}`,
      'consensus.segment_bytes=1048576',
    ]
    const config = parseConfig({ file: null, environment: {}, sets: [...own, ...this.#sets] })
    const storage = createMemoryStorage()
    const random = this.#random.fork()
    const identity = await openIdentity(storage, clock, random, { node: id, cluster: config.cluster.name })
    const transport = lossyTransport(this.#bus.transport(id, identity.incarnation), (to, go) => this.#fate(`${id}>${to}`, go))
    const onBug = (error: unknown): void => void this.bugs.push(error)
    const ports = { clock, random, transport, storage }
    const node = await createNode(config, identity, ports, { hash, log: NO_LOG, onBug, onDiskFatal: onBug, eventLoop: () => null })
    const backend = createBackend(node.system, { node: id, pendingMax: 1_000, partitioning: { partitions: PARTITIONS, hash }, secret: 's' })
    const { settings } = serverOptions(config, { ownThread: false, onBug, systemStats: null }, false)
    const gateway = {
      backend,
      settings,
      metrics: new GatewayMetrics(id, null),
      startSpan: null,
      producers: new ProducerTraces(),
      pastSubscriptions: new PastSubscriptions(clock, random),
    }
    this.nodes.set(id, { node, backend, app: createApp(gateway, { onBug }) })
  }

  /** Of a frame on this way. */
  #fate(way: string, go: () => void): void {
    if (this.cut.has(way)) return
    const late = this.lagMs.get(way) ?? 0
    if (late === 0) go()
    else this.clock.after(late, go)
  }

  at(id: NodeId): CacheNode {
    const found = this.nodes.get(id)
    if (found === undefined) throw new Error(`${id} is not up`)
    return found
  }

  /** The home of all keys, once it speaks. */
  home(): NodeId | null {
    for (const [id, { node }] of this.nodes) if (node.coherence.homes.get(0)?.directory.isOpen) return id
    return null
  }

  /** Loses what it sends and is sent, both ways, whoever the other is. */
  isolate(id: NodeId): void {
    for (const other of this.nodes.keys()) for (const way of [`${id}>${other}`, `${other}>${id}`]) if (other !== id) this.cut.add(way)
  }

  /** As kill -9: nothing is flushed, nobody is told. */
  async kill(id: NodeId): Promise<void> {
    this.isolate(id)
    await this.at(id).node.system.close()
    this.nodes.delete(id)
  }

  /** Lets time pass until it is there. */
  async ask<T>(promise: Promise<T>, what: string): Promise<T> {
    let isOver = false
    const over = (): void => void (isOver = true)
    promise.then(over, over)
    await this.clock.until(() => isOver, what)
    return promise
  }

  async get<T>(id: NodeId, path: string): Promise<T> {
    const response = await this.ask(Promise.resolve(this.at(id).app.request(path)), path)
    if (response.status !== 200) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as T
  }

  /** Of the caches on this node, without the label of the node: `tricord_cache_reads_total{result="hit"}` -> 3. */
  async metrics(id: NodeId): Promise<ReadonlyMap<string, number>> {
    const text = await this.ask(this.at(id).backend.metrics(), 'metrics')
    const lines = text.split('\n').filter((line) => line.startsWith('tricord_cache_'))
    return new Map(
      lines.map((line) => {
        const [series = '', value] = line.split(' ')
        return [series.replace(/[{,]node="[^"]*"}/, (label) => (label.startsWith(',') ? '}' : '')), Number(value)] as const
      }),
    )
  }

  async stop(): Promise<void> {
    for (const { node } of this.nodes.values()) await this.ask(node.stop(1_000), `${node.id} stops`)
  }
}
