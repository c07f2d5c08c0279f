/**
 * A whole cluster in one process: in-process bus, real disk (or memory), nothing else to install. What `npm start` runs,
 * and what applications embed in their tests.
 */
import { join } from 'node:path'
import { openIdentity } from './cluster/identity.ts'
import { type Config, parseConfig } from './config.ts'
import { SystemClock } from './io/clock-system.ts'
import { SystemRandom } from './io/random-system.ts'
import { createFileStorage } from './io/storage-file.ts'
import { createMemoryStorage } from './io/storage-memory.ts'
import { createLocalBus } from './io/transport-local.ts'
import { type Serving, serve } from './serve.ts'
import { type Log, NO_LOG } from './telemetry/log.ts'

export interface EmbeddedOptions {
  readonly nodes: number
  /** HTTP port of n1, the others follow; 0: free ports. */
  readonly port: number
  /** Where the data is kept; null: in memory. */
  readonly data: string | null
  /** `key.path=value` each, for all nodes; `metrics.port` is n1's, the others follow. */
  readonly sets?: readonly string[]
  readonly log?: Log
  readonly traced?: boolean
  readonly onBug: (error: unknown) => void
  readonly onDiskFatal: (error: Error) => void
}

export interface EmbeddedCluster {
  readonly nodes: readonly Serving[]
  stop(): Promise<void>
}

/** Resolves once every node can serve. */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedCluster> {
  const clock = new SystemClock()
  const random = new SystemRandom()
  const bus = createLocalBus(clock)
  const ids = Array.from({ length: options.nodes }, (_, i) => `n${i + 1}`)
  const start = async (id: string, at: number): Promise<Serving> => {
    const config = configOf(options, ids, id, at)
    const storage = options.data === null ? createMemoryStorage() : createFileStorage(join(options.data, id), config.storage.engine)
    await storage.lock()
    const identity = await openIdentity(storage, clock, random, { node: id, cluster: config.cluster.name })
    const transport = bus.transport(id, identity.incarnation)
    return serve(
      config,
      identity,
      { clock, random, storage, transport },
      { ...options, log: options.log ?? NO_LOG, traced: options.traced ?? false },
    )
  }
  const nodes = await Promise.all(ids.map(start))
  await Promise.all(nodes.map((node) => node.ready()))
  return {
    nodes,
    async stop() {
      await Promise.all(nodes.map((node) => node.stop()))
    },
  }
}

/** The configuration of the node `at` that place among `ids`. */
export function configOf(options: Pick<EmbeddedOptions, 'port' | 'sets'>, ids: readonly string[], id: string, at: number): Config {
  const port = options.port === 0 ? 0 : options.port + at
  const own = [`cluster.node_id=${id}`, `cluster.peers=${ids.join(',')}`, `http.port=${port}`]
  const config = parseConfig({ file: null, environment: {}, sets: [...(options.sets ?? []), ...own] })
  const { metrics } = config
  return metrics.port === 0 ? config : { ...config, metrics: { ...metrics, port: metrics.port + at } }
}
