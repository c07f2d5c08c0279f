/**
 * One node, put together. Reads like a table of contents; main, embedded and the simulator differ only in the ports
 * they pass.
 *
 *   actors ── cluster floor (formation, groups, failure detector) ── state machines ── admin (what gateways ask)
 */
import { type ActorSystem, type ActorSystemStats } from './actors/actor.ts'
import { createActorSystem } from './actors/system.ts'
import { ADMIN_PATH, createAdmin } from './admin.ts'
import { type Hash } from './base/hash.ts'
import { FIRST_PARTITION, type GroupId, LOCKS_GROUP, type NodeId, groupName, partitionGroup } from './base/ids.ts'
import type { Coherence } from './cache/node/coherence.ts'
import { ROOM_UNBOUNDED } from './cache/machine/room.ts'
import { readLendMark } from './cache/node/lend-mark.ts'
import { type NodeCaches, startCaches } from './cache/node/start.ts'
import { startCluster } from './cluster/start.ts'
import type { Cluster, Identity } from './cluster/types.ts'
import type { Config } from './config.ts'
import type { Ports } from './io/ports.ts'
import { type LockMachine, createLockMachine } from './lock/machine.ts'
import { BodyCache } from './queue/body-cache.ts'
import { endWaitsOfDeadGateways } from './queue/dead-gateways.ts'
import { routeLostLeases } from './queue/lost-leases.ts'
import type { QueueMachine } from './queue/machine.ts'
import { createPartitionMachine, type PartitionMachine } from './partition-machine.ts'
import type { GroupHost } from './raft/group-host.ts'
import type { RaftObserver } from './raft/host/observer.ts'
import type { StateMachine } from './raft/machine.ts'
import type { CacheReading } from './telemetry/cache-metrics.ts'
import type { Log } from './telemetry/log.ts'
import { type NodeReadings, createNodeMetrics } from './telemetry/metrics.ts'
import { VERSION } from './version.ts'

const DRAIN_MAX = 4_096
const TICKS_PER_HEARTBEAT = 2

export interface NodeOptions {
  readonly hash: Hash
  readonly log: Log
  /** A broken invariant: the process stops with 70. */
  readonly onBug: (error: unknown) => void
  /** The disk can no longer be trusted: the process stops with 74. */
  readonly onDiskFatal: (error: Error) => void
  readonly eventLoop: () => { readonly p50: number; readonly p99: number; readonly max: number } | null
  readonly observer?: RaftObserver
  /** Become a member of a cluster that runs, where this disk belongs to none yet. */
  readonly join?: boolean
  /** Ends a wait for other nodes. */
  readonly signal?: AbortSignal
}

export interface Node {
  readonly id: NodeId
  readonly system: ActorSystem
  readonly cluster: Cluster
  readonly host: GroupHost
  /** The cluster's: for the gateway alone. */
  readonly secret: string
  readonly locks: LockMachine
  /** For those who look on. */
  readonly coherence: Coherence
  /** Where clients reach it, where that is not known before it listens. */
  announce(url: string): void
  /** Hands leadership over, makes everything durable, closes. */
  stop(drainTimeoutMs: number): Promise<void>
}

/** Where it rejects, nothing is left running, and the storage is closed. */
export async function createNode(config: Config, identity: Identity, ports: Ports, options: NodeOptions): Promise<Node> {
  const lendMark = await readLendMark(ports.storage, ports.clock, options.onDiskFatal)
  const system = startSystem(config, identity, ports, options)
  const locks = createLockMachine({ hashSeed: ports.random.below(2 ** 32) })
  const partitions = new Map<GroupId, PartitionMachine>()
  let caches: NodeCaches | null = null
  let cachesStarted: (coherence: Coherence) => void = () => {}
  const withCaches = new Promise<Coherence>((resolve) => (cachesStarted = resolve))
  const bodyCache = new BodyCache(config.queues.body_cache_bytes)
  const machineFor = (group: GroupId): StateMachine => {
    if (group === LOCKS_GROUP) return locks
    const partition = group - FIRST_PARTITION
    const machine = createPartitionMachine({
      bodyCache,
      queueMetricsMax: config.queues.metrics_max,
      partition,
      coherence: {
        changed: (change) => caches?.coherence.changed(partition, change),
        swept: (line) => caches?.coherence.swept(partition, line),
        preparing: (line, cause) => caches?.coherence.preparing(partition, line, cause),
        unchanged: (line) => caches?.coherence.unchanged(partition, line),
        clearing: (line) => caches?.coherence.clearing(partition, line),
        // Before the coherence is there no answer leaves.
        gate: (gate) =>
          caches === null
            ? withCaches.then((started) => started.gate(partition, gate) ?? undefined)
            : caches.coherence.gate(partition, gate),
      },
    })
    partitions.set(group, machine)
    return machine
  }
  const started = await startCluster(system, ports, identity, { ...clusterOptions(config, options), machineFor }).catch(
    async (error: unknown) => {
      await system.close()
      await ports.storage.close()
      throw error
    },
  )
  const { cluster, host } = started
  const { coherence } = (caches = startCaches({
    system,
    host,
    directory: started.directory,
    isUp: (node) => started.detector.isUp(node),
    hash: options.hash,
    partitions: cluster.ring().partitions,
    machineOf: (partition) => partitions.get(partitionGroup(partition))?.caches ?? null,
    storeBytesMax: config.caches.node_bytes_max,
    replicaBytesMax: config.caches.replica_bytes_max,
    lendMark,
    onLog: (level, message, fields) => options.log[level](message, fields),
  }))
  cachesStarted(coherence)
  routeLostLeases(host, (to, msgType, payload) => system.send(to, msgType, payload))
  const waits = endWaitsOfDeadGateways({
    clock: ports.clock,
    proposer: started.proposer,
    machines: queuesOf(partitions),
    leads: (group) => host.status(group)?.role === 'leader',
    isOver: (node, incarnation) =>
      node === identity.node
        ? incarnation !== identity.incarnation
        : (system.peers.get(node) ?? 0) > incarnation || !started.detector.isUp(node),
  })
  const readings: NodeReadings = {
    host: () => host.stats,
    groups: () => host.groups().flatMap((group) => readGroup(host, group)),
    system: (): ActorSystemStats => system.stats,
    locks: () => locks.stats(),
    queues: () => host.groups().flatMap((group) => readQueues(host, group, partitions.get(group))),
    caches: () => readCaches(host, coherence, partitions),
    freeDiskBytes: () => ports.storage.freeBytes(),
    eventLoop: options.eventLoop,
  }
  const metrics = createNodeMetrics(identity.node, readings, config.queues.metrics_max)
  system.spawn(ADMIN_PATH, createAdmin({ cluster, metrics: () => metrics.text() }))
  return {
    id: identity.node,
    system,
    cluster,
    host,
    secret: started.secret,
    locks,
    coherence,
    announce: (url) => started.announce(url),
    async stop(drainTimeoutMs) {
      waits.close()
      started.close()
      await caches?.drain(drainTimeoutMs)
      await host.drain(drainTimeoutMs, () => started.detector.end())
      caches?.close()
      await host.close()
      await system.close()
      await ports.storage.close()
    },
  }
}

function startSystem(config: Config, identity: Identity, ports: Ports, options: NodeOptions): ActorSystem {
  const { clock, random, transport } = ports
  return createActorSystem({
    node: identity.node,
    incarnation: identity.incarnation,
    cluster: identity.cluster,
    clock,
    random,
    transport,
    mailboxMax: config.limits.mailbox_max,
    drainMax: DRAIN_MAX,
    onBug: options.onBug,
  })
}

function clusterOptions(config: Config, options: NodeOptions) {
  const { cluster, consensus, http, storage } = config
  return {
    peers: cluster.peers,
    partitions: cluster.partitions,
    replicas: cluster.replicas,
    failureTimeoutMs: cluster.failure_timeout_ms,
    url: http.public_url,
    version: VERSION,
    hash: options.hash,
    tickMs: consensus.heartbeat_interval_ms / TICKS_PER_HEARTBEAT,
    electionTimeoutMs: consensus.election_timeout_ms,
    heartbeatIntervalMs: consensus.heartbeat_interval_ms,
    segmentBytes: consensus.segment_bytes,
    logBytesMax: consensus.log_bytes_max,
    checkpointIntervalMs: consensus.checkpoint_interval_ms,
    diskLowBytes: storage.disk_low_bytes,
    snapshotBytesPerSecond: cluster.move_bytes_per_second,
    onDiskFatal: options.onDiskFatal,
    onLog: (level: 'info' | 'warn' | 'error', message: string, fields?: Readonly<Record<string, unknown>>) =>
      options.log[level](message, fields),
    join: options.join ?? false,
    ...(options.observer && { observer: options.observer }),
    ...(options.signal && { signal: options.signal }),
  }
}

function readGroup(host: GroupHost, group: GroupId) {
  const status = host.status(group)
  return status ? [{ name: groupName(group), status }] : []
}

/** Entries are told by the leader of their partition, so each is told of once in a cluster. */
function readCaches(host: GroupHost, coherence: Coherence, partitions: ReadonlyMap<GroupId, PartitionMachine>): CacheReading {
  const here = [...partitions].flatMap(([group, { caches }]) => {
    const role = host.status(group)?.role
    return role === undefined ? [] : [{ ...caches.stats(), isLed: role === 'leader' }]
  })
  const led = here.filter(({ isLed }) => isLed)
  const sum = (member: 'entries' | 'bytes' | 'evictions'): number => led.reduce((total, one) => total + one[member], 0)
  return {
    ...coherence.stats(),
    entries: sum('entries'),
    entryBytes: sum('bytes'),
    evictions: sum('evictions'),
    replicaBytes: here.reduce((total, { memoryBytes }) => total + memoryBytes, 0),
    replicaBytesMax: here.reduce((total, { memoryBytesMax: max }) => total + (max === ROOM_UNBOUNDED ? 0 : max), 0),
  }
}

/** As they come and go. */
function queuesOf(partitions: ReadonlyMap<GroupId, PartitionMachine>) {
  return {
    *[Symbol.iterator](): Generator<readonly [GroupId, QueueMachine]> {
      for (const [group, { queues }] of partitions) yield [group, queues]
    },
  }
}

function readQueues(host: GroupHost, group: GroupId, machine: PartitionMachine | undefined) {
  const status = host.status(group)
  return machine && status?.role === 'leader' ? [machine.queues.stats(status.time)] : []
}
