/**
 * Whole nodes with their gateways on real sockets and clocks, in one process, whose disks and wires do what a test says. What is asked for
 * in vain is answered sooner than in production.
 */
import { expect } from 'vitest'
import type { NodeId } from '../src/base/ids.ts'
import { startServer } from '../src/api/server.ts'
import { openIdentity } from '../src/cluster/identity.ts'
import { configOf } from '../src/embedded.ts'
import { createBackend, serverOptions } from '../src/gateway.ts'
import { SystemClock } from '../src/io/clock-system.ts'
import { loadHash } from '../src/io/hash.ts'
import { SystemRandom } from '../src/io/random-system.ts'
import { MemoryDisk, createMemoryStorage } from '../src/io/storage-memory.ts'
import { type LocalBus, createLocalBus } from '../src/io/transport-local.ts'
import { type Node, createNode } from '../src/node.ts'
import { NO_LOG } from '../src/telemetry/log.ts'
import { Gate, gatedStorage } from './gated-storage.ts'
import { lossyTransport } from './lossy-transport.ts'

const COMMAND_TIMEOUT_MS = 2_000
const DRAIN_MS = 1_000
const READY_POLL_MS = 10

export interface FaultyNode {
  readonly id: NodeId
  readonly node: Node
  readonly url: string
  readonly disk: MemoryDisk
  /** Closed, no write to the disk comes to an end. */
  readonly writes: Gate
  /** The node, while its gateway goes on. */
  stopNode(): Promise<void>
  stopGateway(): Promise<void>
}

export class FaultBed {
  readonly nodes: readonly FaultyNode[]
  readonly #cut: Set<NodeId>
  readonly #bugs: unknown[]

  private constructor(nodes: readonly FaultyNode[], cut: Set<NodeId>, bugs: unknown[]) {
    this.nodes = nodes
    this.#cut = cut
    this.#bugs = bugs
  }

  static async start(count: number, sets: readonly string[], commandTimeoutMs = COMMAND_TIMEOUT_MS): Promise<FaultBed> {
    const ids = Array.from({ length: count }, (_, nth) => `n${nth + 1}`)
    const [cut, bugs, clock] = [new Set<NodeId>(), [] as unknown[], new SystemClock()]
    const bus = createLocalBus(clock)
    const begun = { ids, sets, commandTimeoutMs, clock, bus, cut, onBug: (error: unknown) => void bugs.push(error) }
    const nodes = await Promise.all(ids.map((id, at) => startNode(id, at, begun)))
    for (const { node } of nodes) {
      while (!node.cluster.ready().ready) await new Promise<void>((resolve) => clock.after(READY_POLL_MS, resolve))
    }
    return new FaultBed(nodes, cut, bugs)
  }

  /** Nothing comes from it or to it any more. */
  cutOff({ id }: FaultyNode): void {
    this.#cut.add(id)
  }

  heal(): void {
    this.#cut.clear()
  }

  async stop(): Promise<void> {
    this.heal()
    for (const { disk, writes } of this.nodes) {
      disk.freeBytes = new MemoryDisk().freeBytes
      writes.open()
    }
    await Promise.all(this.nodes.map((node) => node.stopGateway()))
    await Promise.all(this.nodes.map((node) => node.stopNode()))
    expect(this.#bugs).toEqual([])
  }
}

interface Begun {
  readonly ids: readonly NodeId[]
  readonly sets: readonly string[]
  readonly commandTimeoutMs: number
  readonly clock: SystemClock
  readonly bus: LocalBus
  readonly cut: ReadonlySet<NodeId>
  readonly onBug: (error: unknown) => void
}

async function startNode(id: NodeId, at: number, { ids, sets, commandTimeoutMs, clock, bus, cut, onBug }: Begun): Promise<FaultyNode> {
  const config = configOf({ port: 0, sets }, ids, id, at)
  const [disk, writes, random, hash] = [new MemoryDisk(), new Gate(), new SystemRandom(), await loadHash()]
  const storage = gatedStorage(createMemoryStorage(disk), { writes: () => writes.pass() })
  const identity = await openIdentity(storage, clock, random, { node: id, cluster: config.cluster.name })
  const transport = lossyTransport(
    bus.transport(id, identity.incarnation),
    (to, go) => {
      if (to === id || !(cut.has(id) || cut.has(to))) go()
    },
    (go) => {
      if (!cut.has(id)) go()
    },
  )
  const onFailure = { onBug, onDiskFatal: onBug }
  const node = await createNode(
    config,
    identity,
    { clock, random, storage, transport },
    { hash, log: NO_LOG, eventLoop: () => null, ...onFailure },
  )
  const partitioning = { partitions: node.cluster.ring().partitions, hash }
  const pendingMax = config.limits.pending_commands_max
  const backend = createBackend(node.system, { node: id, pendingMax, partitioning, secret: node.secret })
  const { settings, ...options } = serverOptions(config, { ownThread: false, onBug, systemStats: null }, false)
  const server = await startServer(backend, {
    ...options,
    settings: { ...settings, commandTimeoutMs },
    drainTimeoutMs: DRAIN_MS,
  })
  let [nodeStopped, gatewayStopped]: (Promise<void> | null)[] = [null, null]
  return {
    id,
    node,
    url: server.url,
    disk,
    writes,
    stopNode: () => (nodeStopped ??= node.stop(DRAIN_MS)),
    stopGateway: () => (gatewayStopped ??= server.close()),
  }
}
