/**
 * The gateway's composition: what stands between `api/` and a node. It needs only an actor system that is the
 * node's own (inline), a child of it on a worker thread, or one in another process over NATS: nothing else changes.
 *
 *   api/  ->  Backend ─┬─ locks, queues -> proposer -> <node>/raft -> leader
 *                      ├─ caches, invalidations -> ask <node>/cache
 *                      ├─ lostLeases     <- leaders of partitions
 *                      └─ cluster        -> ask <node>/admin
 */
import type { ActorSystem } from './actors/actor.ts'
import { type Plain, actorId } from './actors/envelope.ts'
import { ADMIN, ADMIN_PATH, type AdminOperation, type AdminOperations } from './admin.ts'
import type { Backend, BackendCluster } from './api/backend.ts'
import type { ServerOptions } from './api/server.ts'
import type { NodeId } from './base/ids.ts'
import { createLendings } from './cache/borrowing.ts'
import { createCaches } from './cache/facade.ts'
import { createInvalidations } from './cache/watch/invalidations.ts'
import type { Config } from './config.ts'
import { createLocks } from './lock/facade.ts'
import { type Partitioning, createQueues } from './queue/facade.ts'
import { lifeOf } from './queue/dead-gateways.ts'
import { createLostLeases } from './queue/lost-leases.ts'
import { createProposer } from './raft/host/proposer.ts'
import { createTransactions } from './transaction/facade.ts'
import { startRootSpan } from './telemetry/tracing.ts'
import { VERSION } from './version.ts'

const ADMIN_TIMEOUT_MS = 5_000
const COMMAND_TIMEOUT_MS = 10_000

export interface GatewayOptions {
  /** The node behind the gateway. */
  readonly node: NodeId
  readonly pendingMax: number
  /** Where queues live: the number of partitions that the cluster was formed with, and the hash. */
  readonly partitioning: Partitioning
  /** The cluster's: what the secrets of sessions that are opened under a key are made of. */
  readonly secret: string
}

export function createBackend(system: ActorSystem, options: GatewayOptions): Backend {
  const { node, pendingMax } = options
  const proposer = createProposer(system, { raft: actorId(node, 'raft'), pendingMax })
  const admin = adminOf(system, options.node)
  const { partitioning } = options
  const queues = createQueues(proposer, partitioning, lifeOf(node, system.incarnation))
  const { planPut, ...caches } = createCaches(system, node)
  return {
    node: options.node,
    version: VERSION,
    secret: options.secret,
    clock: system.clock,
    random: system.random,
    locks: createLocks(proposer),
    queues,
    caches,
    lendings: createLendings(system, node),
    invalidations: createInvalidations(system, node, partitioning),
    transactions: createTransactions({ queues, proposer, partitioning, planPut }),
    lostLeases: createLostLeases(system),
    cluster: remoteCluster(admin),
    ready: () => admin('ready', null, ADMIN_TIMEOUT_MS),
    metrics: () => admin('metrics', null, ADMIN_TIMEOUT_MS),
  }
}

/** What the configuration says of the listener. */
export function serverOptions(
  config: Config,
  of: Pick<ServerOptions, 'ownThread' | 'onBug' | 'systemStats'>,
  traced: boolean,
): ServerOptions {
  const { http, locks, metrics } = config
  return {
    host: http.host,
    port: http.port,
    metricsPort: metrics.port,
    connectionsMax: http.connections_max,
    drainTimeoutMs: http.drain_timeout_ms,
    settings: {
      defaultLeaseMs: Math.round(locks.default_ttl_seconds * 1_000),
      waitMsMax: Math.round(locks.max_wait_time_seconds * 1_000),
      bodyBytesMax: http.body_bytes_max,
      batchBytesMax: http.batch_bytes_max,
      commandTimeoutMs: COMMAND_TIMEOUT_MS,
    },
    startSpan: traced ? startRootSpan : null,
    ...of,
  }
}

type Admin = <T, O extends AdminOperation>(operation: O, argument: AdminOperations[O]['argument'], timeoutMs: number) => Promise<T>

function adminOf(system: ActorSystem, node: NodeId): Admin {
  const address = actorId(node, ADMIN_PATH)
  return async <T>(operation: AdminOperation, argument: unknown, timeoutMs: number) => {
    const reply = await system.ask(address, ADMIN, [operation, argument as Plain], timeoutMs)
    return reply.payload as T
  }
}

function remoteCluster(admin: Admin): BackendCluster {
  return {
    status: () => admin('status', null, ADMIN_TIMEOUT_MS),
    ring: () => admin('ring', null, ADMIN_TIMEOUT_MS),
    explain: (key) => admin('explain', key, ADMIN_TIMEOUT_MS),
    addMember: (member) => admin('add_member', member, ADMIN_TIMEOUT_MS),
    removeMember: (id) => admin('remove_member', id, ADMIN_TIMEOUT_MS),
    plan: (change) => admin('plan', change, ADMIN_TIMEOUT_MS),
  }
}
