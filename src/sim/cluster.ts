/**
 * The nodes of a simulation: their disks, their lives, and what a nemesis may do to them. Each life runs the very
 * `createNode` of production on simulated ports.
 *
 *   down ──start──> starting ──formed, recovered──> up ──crash, stop──> down
 *                      └──refused (an emptied disk)                └──disk error──> down
 */
import type { Hash } from '../base/hash.ts'
import { type GroupId, LOCKS_GROUP, type NodeId } from '../base/ids.ts'
import { IdentityError, openIdentity } from '../cluster/identity.ts'
import type { WatchGateway } from '../api/gateway.ts'
import { createCaches } from '../cache/facade.ts'
import type { Caches } from '../cache/types.ts'
import { type Config, parseConfig } from '../config.ts'
import { KvDamagedError } from '../io/kv/damage.ts'
import type { Ports } from '../io/ports.ts'
import { createLocks } from '../lock/facade.ts'
import type { Locks } from '../lock/types.ts'
import { lifeOf } from '../queue/dead-gateways.ts'
import { createQueues } from '../queue/facade.ts'
import { createLostLeases } from '../queue/lost-leases.ts'
import type { LostLeases, Queues } from '../queue/types.ts'
import { type Node, type NodeOptions, createNode } from '../node.ts'
import { createProposer } from '../raft/host/proposer.ts'
import { createTransactions } from '../transaction/facade.ts'
import type { Transactions } from '../transaction/types.ts'
import { checkColdRecords } from './checkers/cold-records.ts'
import { SimClock, WALL_EPOCH_MS } from './clock.ts'
import { SimDisk } from './disk.ts'
import { SimIoError, mount } from './disk-storage.ts'
import { NodeLife } from './life.ts'
import { SimNetwork, calm } from './network.ts'
import type { SimOptions } from './options.ts'
import { watchGateway } from './watch-gateway.ts'
import { SimFailure, type World } from './world.ts'

const CLUSTER_NAME = 'sim'
const STOPPED = 'stopped'
const DRAIN_MS = 2_000
const SECOND_MS = 1_000
const RESTART_MS = 1_000

/** A node that runs: what clients and checkers use. */
export interface Running {
  readonly node: Node
  readonly locks: Locks
  readonly queues: Queues
  readonly caches: Caches
  readonly transactions: Transactions
  readonly lostLeases: LostLeases
  readonly watches: WatchGateway
}

export class SimNode {
  readonly id: NodeId
  readonly disk: SimDisk
  life: NodeLife | null = null
  /** Of that life. */
  clock: SimClock | null = null
  /** Counts the lives. */
  lives = 0
  running: Running | null = null
  /** Its disk was emptied: it must be refused from then on. */
  wiped = false
  refused = false
  /** It has been up once on this disk, so the disk knows the cluster. */
  joined = false
  /** Starts with --join: a newcomer, or one that was given an empty disk. */
  join = false
  /** It was asked to stop, and is about to. */
  stopping = false
  /** It has left the cluster and is about to be switched off for good. */
  retired = false
  /** Counts its disks: an emptied one is another. */
  disks = 1
  /** As the disk says since the last boot; '' before. */
  uid = ''
  incarnation = 0
  /** Something on its disk rotted: groups may be damaged for good. */
  rotten = false

  constructor(id: NodeId, disk: SimDisk) {
    this.id = id
    this.disk = disk
  }

  /** Everything that it ever acknowledged is on its disk. */
  get sound(): boolean {
    return !this.wiped && !this.rotten && !this.refused
  }

  get up(): boolean {
    return this.running !== null && this.life?.alive === true
  }
}

export interface ClusterHooks {
  /** A node that was not there before, with its disk. */
  admitted(node: SimNode): void
  /** Before a life begins on this disk. */
  booting(node: SimNode): void
  /** A life is about to end; `isStopped`: it was asked to, and was not killed for it. */
  ending(node: SimNode, isStopped: boolean): void
  /** A life ended, however. */
  ended(node: SimNode): void
  /** What the node says in its log of what is wrong. */
  warned(node: SimNode, message: string, fields: Readonly<Record<string, unknown>>): void
}

export class SimCluster {
  readonly world: World
  readonly options: SimOptions
  readonly network: SimNetwork
  /** Those that are part of it or shall be; changes as nodes come and go. */
  readonly #nodes: SimNode[] = []
  #formed = false
  readonly #hash: Hash
  readonly #hooks: ClusterHooks

  constructor(world: World, options: SimOptions, hash: Hash, hooks: ClusterHooks) {
    this.world = world
    this.options = options
    this.#hash = hash
    this.#hooks = hooks
    this.network = new SimNetwork(world, world.dice.fork('network'), calm(options.network))
  }

  /** The founders, each with an empty disk; once, and first of all. */
  found(): void {
    for (const id of this.options.nodes) this.#add(id)
  }

  #add(id: NodeId): SimNode {
    const { world, options } = this
    const node = new SimNode(id, new SimDisk(world, world.dice.fork(`disk ${id}`), options.disk))
    this.#nodes.push(node)
    this.#hooks.admitted(node)
    return node
  }

  /** A node that will join. */
  admit(id: NodeId): SimNode {
    const node = this.#add(id)
    node.join = true
    return node
  }

  /** A node that has left is switched off and never comes back. */
  retire(node: SimNode): void {
    node.retired = true
    this.crash(node, 'retired')
    this.#nodes.splice(this.#nodes.indexOf(node), 1)
  }

  get nodes(): readonly SimNode[] {
    return this.#nodes
  }

  get ids(): NodeId[] {
    return this.#nodes.map(({ id }) => id)
  }

  node(id: NodeId): SimNode | null {
    return this.nodes.find((node) => node.id === id) ?? null
  }

  get up(): readonly SimNode[] {
    return this.nodes.filter((node) => node.up)
  }

  start(node: SimNode): void {
    if (node.life?.alive || node.refused || node.retired) return
    const life = new NodeLife(this.world, node.id)
    node.life = life
    node.lives++
    this.world.log(`${node.id} boots, life ${node.lives}`)
    this.#hooks.booting(node)
    this.#boot(node, life).catch((error: Error) => this.#bootFailed(node, life, error))
  }

  async #boot(node: SimNode, life: NodeLife): Promise<void> {
    const { world } = this
    const dice = world.dice.fork(`life ${node.id} ${node.lives}`)
    const storage = mount(node.disk, life)
    const { driftPpm, driftsMost } = this.options
    const drift = driftsMost ? dice.pick([-driftPpm, driftPpm]) : dice.between(-driftPpm, driftPpm)
    const clock = new SimClock(world, life, {
      driftPpm: drift,
      wallOffsetMs: dice.integer(-60_000, 60_000) + this.#wallBehindMs(node),
      originMs: dice.integer(1, 1e6),
    })
    node.clock = clock
    await storage.lock()
    const identity = await openIdentity(storage, clock, dice, { node: node.id, cluster: CLUSTER_NAME })
    node.uid = identity.uid
    node.incarnation = Math.max(node.incarnation, identity.incarnation)
    const transport = this.network.join(life, identity.incarnation)
    const ports: Ports = { clock, random: dice, transport, storage }
    const running = await createNode(this.#config(node), identity, ports, this.#nodeOptions(node, life))
    const proposer = createProposer(running.system, { raft: running.host.id })
    if (node.wiped && !node.join) throw new SimFailure(`${node.id} was taken back with an emptied disk`)
    node.joined = true
    node.wiped = false
    this.#formed ||= this.nodes.every(({ joined }) => joined)
    const { partitions } = this.options
    const { system } = running
    const partitioning = { partitions, hash: this.#hash }
    const queues = createQueues(proposer, partitioning, lifeOf(node.id, system.incarnation))
    const caches = createCaches(system, node.id)
    const transactions = createTransactions({ queues, proposer, partitioning, planPut: caches.planPut })
    const watches = watchGateway(system, node.id, partitioning, world.dice.fork(`watches ${node.id} ${node.lives}`))
    const lostLeases = createLostLeases(system)
    node.running = { node: running, locks: createLocks(proposer), queues, caches, transactions, lostLeases, watches }
    life.touched = true
    world.log(`${node.id} is up, incarnation ${identity.incarnation}`)
  }

  /** A node that joins on an empty disk needs a wall clock that is ahead of its last boot, or nobody listens to it. */
  #wallBehindMs(node: SimNode): number {
    if (!node.join || node.incarnation === 0) return 0
    return Math.max(0, 2 * 60_000 + node.incarnation * SECOND_MS - (WALL_EPOCH_MS + this.world.now))
  }

  #config(node: SimNode): Config {
    const { nodes, partitions, heartbeatMs, electionMs, segmentBytes, logBytesMax, checkpointMs, failureTimeoutMs } = this.options
    const config = parseConfig({ file: null, environment: {}, sets: [] })
    return {
      ...config,
      cluster: {
        ...config.cluster,
        name: CLUSTER_NAME,
        node_id: node.id,
        peers: node.join ? this.ids : [...nodes],
        partitions,
        replicas: Math.min(3, nodes.length),
        failure_timeout_ms: failureTimeoutMs,
      },
      consensus: {
        ...config.consensus,
        heartbeat_interval_ms: heartbeatMs,
        election_timeout_ms: electionMs,
        segment_bytes: segmentBytes,
        log_bytes_max: logBytesMax,
        checkpoint_interval_ms: checkpointMs,
      },
      queues: { ...config.queues, body_cache_bytes: this.options.queues.bodyCacheBytes },
      caches: { ...config.caches, replica_bytes_max: this.options.replicaBytesMax },
    }
  }

  #nodeOptions(node: SimNode, life: NodeLife): NodeOptions {
    const log = (level: string) => (message: string, fields?: Readonly<Record<string, unknown>>) => {
      this.world.log(`${node.id} ${level}: ${message}${fields ? ` ${JSON.stringify(fields)}` : ''}`)
    }
    const warn: NodeOptions['log']['warn'] = (message, fields) => {
      log('warn')(message, fields)
      this.#hooks.warned(node, message, fields ?? {})
    }
    return {
      hash: this.#hash,
      log: { debug: log('debug'), info: log('info'), warn, error: log('error') },
      onBug: (error) => this.world.fail(error),
      onDiskFatal: (error) => {
        const isDamage = error instanceof KvDamagedError && node.rotten
        if (!isDamage && !(error instanceof SimIoError)) this.world.fail(error)
        else if (life.alive) this.crash(node, 'disk error')
        // Whoever runs it starts it again: the damage is found at work alone, and dealt with at the next start.
        if (isDamage) this.world.at(RESTART_MS, 'restart', () => this.start(node))
      },
      eventLoop: () => null,
      join: node.join,
    }
  }

  #bootFailed(node: SimNode, life: NodeLife, error: Error): void {
    if (!life.alive) return
    if (error instanceof IdentityError && node.join && !node.joined) {
      // Its name is still taken: the operator tries again.
      this.crash(node, `not taken in: ${error.message}`)
    } else if (error instanceof IdentityError && node.wiped) {
      node.refused = true
      this.world.log(`${node.id} is refused: ${error.message}`)
      this.crash(node, 'refused')
    } else if (error instanceof SimIoError) this.crash(node, 'disk error at boot')
    else this.world.fail(error)
  }

  /** kill -9, or the power: memory is gone, the disk keeps what it keeps. */
  crash(node: SimNode, why = 'crash'): void {
    if (!node.life?.alive) return
    this.world.log(`${node.id} ends: ${why}`)
    this.#end(node, why === STOPPED)
    node.disk.crash()
    this.#checkStores(node)
  }

  #checkStores(node: SimNode): void {
    try {
      for (const store of node.disk.stores.values()) checkColdRecords(node.id, store)
    } catch (error) {
      this.world.fail(error)
    }
  }

  /** The disk is empty from now on. */
  wipe(node: SimNode): void {
    this.crash(node, 'its disk is lost')
    node.disk.wipe()
    node.disks++
    node.wiped = true
    node.rotten = false
    node.joined = false
    node.uid = ''
  }

  #end(node: SimNode, isStopped: boolean): void {
    this.#hooks.ending(node, isStopped)
    node.life?.end()
    node.running = null
    node.stopping = false
    this.#hooks.ended(node)
  }

  /** SIGTERM: drains, hands leadership over, closes; killed if that takes too long. */
  stop(node: SimNode): void {
    const { life, running } = node
    if (!life?.alive || !running) return
    this.world.log(`${node.id} is asked to stop`)
    node.stopping = true
    running.node.stop(DRAIN_MS).then(
      () => life.alive && this.crash(node, STOPPED),
      (error: Error) => this.world.fail(error),
    )
    this.world.at(4 * DRAIN_MS, `stop ${node.id}`, () => life.alive && !life.paused && this.crash(node, 'slow stop'))
  }

  /** True once every founder has been up: then each disk held the formation. */
  get formed(): boolean {
    return this.#formed
  }

  /** The leader of a group as most of the nodes that are up see it; null where there is none. */
  leader(group: GroupId = LOCKS_GROUP): SimNode | null {
    let best: SimNode | null = null
    let term = 0
    for (const node of this.up) {
      const status = node.running?.node.host.status(group)
      if (status?.role !== 'leader' || status.term <= term) continue
      term = status.term
      best = node
    }
    return best
  }
}
