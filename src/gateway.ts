/**
 * The gateway's composition: what stands between `api/` and a node. It needs only an actor system that is the
 * node's own (inline), a child of it on a worker thread, or one in another process over NATS: nothing else changes.
 *
 *   api/  ->  Backend ─┬─ locks    -> proposer -> <node>/raft -> leader
 *                      └─ cluster  -> ask <node>/admin
 */
import type { ActorSystem } from './actors/actor.ts'
import { type Plain, actorId } from './actors/envelope.ts'
import { ADMIN, ADMIN_PATH, type AdminOperation, type AdminOperations } from './admin.ts'
import type { Backend, BackendCluster } from './api/backend.ts'
import type { NodeId } from './base/ids.ts'
import { createLocks } from './lock/facade.ts'
import { createProposer } from './raft/host/proposer.ts'
import { VERSION } from './version.ts'

const ADMIN_TIMEOUT_MS = 5_000

export interface GatewayOptions {
  /** The node behind the gateway. */
  readonly node: NodeId
  readonly pendingMax: number
}

export function createBackend(system: ActorSystem, options: GatewayOptions): Backend {
  const proposer = createProposer(system, { raft: actorId(options.node, 'raft'), pendingMax: options.pendingMax })
  const admin = adminOf(system, options.node)
  return {
    node: options.node,
    version: VERSION,
    clock: system.clock,
    random: system.random,
    locks: createLocks(proposer),
    cluster: remoteCluster(admin),
    ready: () => admin('ready', null, ADMIN_TIMEOUT_MS),
    metrics: () => admin('metrics', null, ADMIN_TIMEOUT_MS),
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
    plan: (change) => admin('plan', change, ADMIN_TIMEOUT_MS),
  }
}
