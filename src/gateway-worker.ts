/**
 * The gateway on a thread of its own: an actor system `<node>:gw`, joined to the node's by a MessagePort. Started by
 * `gateway-thread.ts`; speaks to it in four messages: ready, failed, bug, closed. After the last it is ended from there: an
 * export of traces that nobody takes may still be under way.
 */
import { once } from 'node:events'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { createActorSystem } from './actors/system.ts'
import { ListenError, startServer } from './api/server.ts'
import type { Config } from './config.ts'
import { createBackend, serverOptions } from './gateway.ts'
import { SystemClock } from './io/clock-system.ts'
import { loadHash } from './io/hash.ts'
import { SystemRandom } from './io/random-system.ts'
import { createPortTransport } from './io/transport-port.ts'
import { startTelemetry } from './telemetry/sdk.ts'
import { VERSION } from './version.ts'

export interface GatewayWorkerData {
  readonly config: Config
  readonly node: string
  readonly incarnation: number
  readonly partitions: number
  readonly secret: string
  readonly port: MessagePort
}

export type GatewayWorkerMessage =
  | { readonly type: 'ready'; readonly url: string }
  | { readonly type: 'failed'; readonly message: string }
  | { readonly type: 'bug'; readonly stack: string }
  | { readonly type: 'closed' }

const DRAIN_MAX = 4_096

const say = (message: GatewayWorkerMessage): void => parentPort?.postMessage(message)
const onBug = (error: unknown): void => say({ type: 'bug', stack: error instanceof Error ? (error.stack ?? error.message) : String(error) })

async function run({ config, node, incarnation, partitions, secret, port }: GatewayWorkerData): Promise<void> {
  const [clock, random] = [new SystemClock(), new SystemRandom()]
  const telemetry = startTelemetry(process.env, { node, version: VERSION, clock, random: () => random.next() })
  const id = `${node}:gw`
  const transport = createPortTransport(id, incarnation, port)
  const { name } = config.cluster
  const mailboxMax = config.limits.mailbox_max
  const system = createActorSystem({
    node: id,
    incarnation,
    cluster: name,
    clock,
    random,
    transport,
    mailboxMax,
    drainMax: DRAIN_MAX,
    onBug,
  })
  if (!system.peers.has(node)) await new Promise<void>((resolve) => system.onPeer(() => resolve()))
  const partitioning = { partitions, hash: await loadHash() }
  const backend = createBackend(system, { node, pendingMax: config.limits.pending_commands_max, partitioning, secret })
  const server = await startServer(
    backend,
    serverOptions(config, { ownThread: true, onBug, systemStats: () => system.stats }, telemetry !== null),
  )
  say({ type: 'ready', url: server.url })
  if (parentPort) await once(parentPort, 'message')
  await server.close()
  await system.close()
  await telemetry?.shutdown()
  say({ type: 'closed' })
}

run(workerData as GatewayWorkerData).catch((error: unknown) => {
  if (error instanceof ListenError) say({ type: 'failed', message: error.message })
  else onBug(error)
})
