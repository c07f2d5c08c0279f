/** A node and its gateway, started and stopped as one: what main and embedded share. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Hash } from './base/hash.ts'
import { loadHash } from './io/hash.ts'
import { type Server, startServer } from './api/server.ts'
import type { Identity } from './cluster/types.ts'
import type { Config } from './config.ts'
import { createBackend, serverOptions } from './gateway.ts'
import { startGatewayThread } from './gateway-thread.ts'
import type { Ports } from './io/ports.ts'
import { type Node, createNode } from './node.ts'
import type { Log } from './telemetry/log.ts'
import { createRaftObserver } from './telemetry/raft-observer.ts'

const READY_POLL_MS = 20
const NANOSECONDS = 1e9
/** How often the event loop's delay is measured. It is counted into every measurement. */
const DELAY_RESOLUTION_MS = 10

export interface Serving {
  readonly node: Node
  readonly url: string
  /** Resolves once the node can serve. */
  ready(): Promise<void>
  /** More than once is once. */
  stop(): Promise<void>
}

export interface ServeOptions {
  /** Whether an exporter was set up: without one nothing asks for spans. */
  readonly traced: boolean
  /** Become a member of a cluster that runs. */
  readonly join?: boolean
  /** Ends a wait for other nodes. */
  readonly signal?: AbortSignal
  readonly log: Log
  readonly onBug: (error: unknown) => void
  readonly onDiskFatal: (error: Error) => void
}

/** Where it rejects, nothing is left running, and the storage is closed. */
export async function serve(config: Config, identity: Identity, ports: Ports, options: ServeOptions): Promise<Serving> {
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS })
  delay.enable()
  const late = (nanoseconds: number): number => Math.max(0, nanoseconds / NANOSECONDS - DELAY_RESOLUTION_MS / 1_000)
  const eventLoop = () => {
    const reading = { p50: late(delay.percentile(50)), p99: late(delay.percentile(99)), max: late(delay.max) }
    delay.reset()
    return reading
  }
  const observer = options.traced ? { observer: createRaftObserver(identity.node, ports.clock) } : {}
  const hash = await loadHash()
  const node = await createNode(config, identity, ports, { ...options, ...observer, hash, eventLoop })
  const stopNode = async (): Promise<void> => {
    await node.stop(config.http.drain_timeout_ms)
    delay.disable()
  }
  const server = await startGateway(node, config, hash, options).catch(async (error: unknown) => {
    await stopNode()
    throw error
  })
  if (config.http.public_url === '') node.announce(server.url)
  let stopped: Promise<void> | null = null
  const stop = async (): Promise<void> => {
    await server.close()
    await stopNode()
  }
  return {
    node,
    url: server.url,
    async ready() {
      while (!node.cluster.ready().ready) await new Promise<void>((resolve) => ports.clock.after(READY_POLL_MS, resolve))
    },
    stop: () => (stopped ??= stop()),
  }
}

/** Compiled, the gateway may have a thread of its own; sources run without a build (tests) have it inline. */
function startGateway(node: Node, config: Config, hash: Hash, options: ServeOptions): Promise<Server> {
  const { partitions } = node.cluster.ring()
  if (config.http.gateway === 'worker' && import.meta.url.endsWith('.js')) {
    return startGatewayThread(node.system, config, { partitions, secret: node.secret, onBug: options.onBug })
  }
  const backend = createBackend(node.system, {
    node: node.id,
    pendingMax: config.limits.pending_commands_max,
    partitioning: { partitions, hash },
    secret: node.secret,
  })
  return startServer(backend, serverOptions(config, { ownThread: false, onBug: options.onBug, systemStats: null }, options.traced))
}
