/**
 * The nodes of a simulation: their disks, their lives, and what a nemesis may do to them. Each life runs the very
 * `createNode` of production on simulated ports.
 *
 *   down ──start──> starting ──formed, recovered──> up ──crash, stop──> down
 *                      └──refused (an emptied disk)                └──disk error──> down
 */
import type { Hash } from '../base/hash.ts'
import { LOCKS_GROUP, type NodeId } from '../base/ids.ts'
import { IdentityError, openIdentity } from '../cluster/identity.ts'
import { type Config, parseConfig } from '../config.ts'
import type { Ports } from '../io/ports.ts'
import { createLocks } from '../lock/facade.ts'
import type { Locks } from '../lock/types.ts'
import { type Node, type NodeOptions, createNode } from '../node.ts'
import { createProposer } from '../raft/host/proposer.ts'
import { SimClock } from './clock.ts'
import { SimDisk } from './disk.ts'
import { SimIoError, mount } from './disk-storage.ts'
import { NodeLife } from './life.ts'
import { SimNetwork, calm } from './network.ts'
import type { SimOptions } from './options.ts'
import { SimFailure, type World } from './world.ts'

const CLUSTER_NAME = 'sim'
const DRAIN_MS = 2_000

/** A node that runs: what clients and checkers use. */
export interface Running {
  readonly node: Node
  readonly locks: Locks
}

export class SimNode {
  readonly id: NodeId
  readonly disk: SimDisk
  life: NodeLife | null = null
  /** Counts the lives. */
  lives = 0
  running: Running | null = null
  /** Its disk was emptied: it must be refused from then on. */
  wiped = false
  refused = false
  /** It has been up once, so its disk knows the cluster. */
  joined = false
  /** Something on its disk rotted: groups may be damaged for good. */
  rotten = false

  constructor(id: NodeId, disk: SimDisk) {
    this.id = id
    this.disk = disk
  }

  get up(): boolean {
    return this.running !== null && this.life?.alive === true
  }
}

export interface ClusterHooks {
  /** Before a life begins on this disk. */
  booting(node: SimNode): void
  /** A life ended, however. */
  ended(node: SimNode): void
}

export class SimCluster {
  readonly world: World
  readonly options: SimOptions
  readonly network: SimNetwork
  readonly nodes: readonly SimNode[]
  readonly #hash: Hash
  readonly #hooks: ClusterHooks

  constructor(world: World, options: SimOptions, hash: Hash, hooks: ClusterHooks) {
    this.world = world
    this.options = options
    this.#hash = hash
    this.#hooks = hooks
    this.network = new SimNetwork(world, world.dice.fork('network'), calm(options.network))
    this.nodes = options.nodes.map((id) => new SimNode(id, new SimDisk(world, world.dice.fork(`disk ${id}`), options.disk)))
  }

  node(id: NodeId): SimNode {
    return this.nodes.find((node) => node.id === id) as SimNode
  }

  get up(): readonly SimNode[] {
    return this.nodes.filter((node) => node.up)
  }

  start(node: SimNode): void {
    if (node.life?.alive || node.refused) return
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
    const drift = dice.between(-this.options.driftPpm, this.options.driftPpm)
    const clock = new SimClock(world, life, {
      driftPpm: drift,
      wallOffsetMs: dice.integer(-60_000, 60_000),
      originMs: dice.integer(1, 1e6),
    })
    await storage.lock()
    const identity = await openIdentity(storage, clock, dice, { node: node.id, cluster: CLUSTER_NAME })
    const transport = this.network.join(life, identity.incarnation)
    const ports: Ports = { clock, random: dice, transport, storage }
    const running = await createNode(this.#config(node.id), identity, ports, this.#nodeOptions(node, life))
    const proposer = createProposer(running.system, { raft: running.host.id })
    if (node.wiped) throw new SimFailure(`${node.id} was taken back with an emptied disk`)
    node.joined = true
    node.running = { node: running, locks: createLocks(proposer) }
    world.log(`${node.id} is up, incarnation ${identity.incarnation}`)
  }

  #config(id: NodeId): Config {
    const { nodes, partitions, heartbeatMs, electionMs, segmentBytes, logBytesMax, checkpointMs, failureTimeoutMs } = this.options
    const config = parseConfig({ file: null, environment: {}, sets: [] })
    return {
      ...config,
      cluster: {
        ...config.cluster,
        name: CLUSTER_NAME,
        node_id: id,
        peers: [...nodes],
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
    }
  }

  #nodeOptions(node: SimNode, life: NodeLife): NodeOptions {
    const log = (level: string) => (message: string, fields?: Readonly<Record<string, unknown>>) => {
      this.world.log(`${node.id} ${level}: ${message}${fields ? ` ${JSON.stringify(fields)}` : ''}`)
    }
    return {
      hash: this.#hash,
      log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
      onBug: (error) => this.world.fail(error),
      onDiskFatal: (error) => {
        if (!(error instanceof SimIoError)) this.world.fail(error)
        else if (life.alive) this.crash(node, 'disk error')
      },
      eventLoop: () => null,
    }
  }

  #bootFailed(node: SimNode, life: NodeLife, error: Error): void {
    if (!life.alive) return
    if (error instanceof IdentityError && node.wiped) {
      node.refused = true
      this.world.log(`${node.id} is refused: ${error.message}`)
      this.crash(node, 'refused')
    } else if (node.rotten && !(error instanceof SimFailure) && !(error instanceof IdentityError)) {
      // A store with a flipped bit may stop the node at its boot: it serves nothing, which is safe.
      node.refused = true
      this.crash(node, `cannot boot from a rotten disk: ${error.message}`)
    } else if (error instanceof SimIoError) this.crash(node, 'disk error at boot')
    else this.world.fail(error)
  }

  /** kill -9, or the power: memory is gone, the disk keeps what it keeps. */
  crash(node: SimNode, why = 'crash'): void {
    if (!node.life?.alive) return
    this.world.log(`${node.id} ends: ${why}`)
    this.#end(node)
    node.disk.crash()
  }

  #end(node: SimNode): void {
    node.life?.end()
    node.running = null
    this.#hooks.ended(node)
  }

  /** SIGTERM: drains, hands leadership over, closes; killed if that takes too long. */
  stop(node: SimNode): void {
    const { life, running } = node
    if (!life?.alive || !running) return
    this.world.log(`${node.id} is asked to stop`)
    running.node.stop(DRAIN_MS).then(
      () => life.alive && this.crash(node, 'stopped'),
      (error: Error) => this.world.fail(error),
    )
    this.world.at(4 * DRAIN_MS, `stop ${node.id}`, () => life.alive && !life.paused && this.crash(node, 'slow stop'))
  }

  /** True once every node has been up: then each disk holds the formation. */
  get formed(): boolean {
    return this.nodes.every((node) => node.joined)
  }

  /** The leader of the locks as most of the nodes that are up see it; null where there is none. */
  leader(): SimNode | null {
    let best: SimNode | null = null
    let term = 0
    for (const node of this.up) {
      const status = node.running?.node.host.status(LOCKS_GROUP)
      if (status?.role !== 'leader' || status.term <= term) continue
      term = status.term
      best = node
    }
    return best
  }
}
