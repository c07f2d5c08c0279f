/**
 * A whole cluster in one process: in-process bus, real disk (or memory), nothing else to install. What `npm start` runs,
 * and what applications embed in their tests.
 */
import { join } from 'node:path'
import { IdentityError, openIdentity } from './cluster/identity.ts'
import type { Identity } from './cluster/types.ts'
import { type Config, ConfigError, parseConfig } from './config.ts'
import { SystemClock } from './io/clock-system.ts'
import { SystemRandom } from './io/random-system.ts'
import type { Storage } from './io/storage.ts'
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
  /** `TRICORD_…` settings for all nodes; none where it is left out. What an embedded cluster decides itself is left aside. */
  readonly environment?: Readonly<Record<string, string | undefined>>
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

interface Prepared {
  readonly config: Config
  readonly storage: Storage
  readonly identity: Identity
}

/** Rejects with the first rejection, once the others are over and those that came to something are undone. */
async function allOrNone<T>(works: readonly Promise<T>[], undo: (value: T) => Promise<void>): Promise<readonly T[]> {
  try {
    return await Promise.all(works)
  } catch (error) {
    const outcomes = await Promise.allSettled(works)
    await Promise.all(outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [undo(outcome.value)] : [])))
    throw error
  }
}

/** Resolves once every node can serve. Where one fails to start, none is left running. */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedCluster> {
  const clock = new SystemClock()
  const random = new SystemRandom()
  const bus = createLocalBus(clock)
  const ids = Array.from({ length: options.nodes }, (_, i) => `n${i + 1}`)
  const prepare = async (id: string, at: number): Promise<Prepared> => {
    const config = configOf(options, ids, id, at)
    const storage =
      options.data === null
        ? createMemoryStorage()
        : createFileStorage(join(options.data, id), config.storage.engine, config.storage.disk_low_bytes)
    await storage.lock()
    try {
      const identity = await openIdentity(storage, clock, random, { node: id, cluster: config.cluster.name })
      checkFounders(identity, ids)
      return { config, storage, identity }
    } catch (error) {
      await storage.close()
      throw error
    }
  }
  const prepared = await allOrNone(ids.map(prepare), ({ storage }) => storage.close())
  const abandon = new AbortController()
  const start = async ({ config, storage, identity }: Prepared): Promise<Serving> => {
    const transport = bus.transport(identity.node, identity.incarnation)
    const { log = NO_LOG, traced = false } = options
    const ports = { clock, random, storage, transport }
    try {
      return await serve(config, identity, ports, { ...options, log, traced, signal: abandon.signal })
    } catch (error) {
      abandon.abort(error)
      throw error
    }
  }
  const nodes = await allOrNone(prepared.map(start), (node) => node.stop())
  await Promise.all(nodes.map((node) => node.ready()))
  return {
    nodes,
    async stop() {
      await Promise.all(nodes.map((node) => node.stop()))
    },
  }
}

/** The nodes of a directory are those that were begun in it: fewer would wait for the rest for ever, more are no members. */
function checkFounders({ node, formation }: Identity, ids: readonly string[]): void {
  const count = formation?.founders.length ?? ids.length
  if (count !== ids.length) {
    throw new IdentityError(
      `the data directory of ${node} belongs to a cluster of ${count} nodes, not ${ids.length}: start as many (--nodes ${count}), ` +
        'or keep this cluster in another directory (--data)',
    )
  }
}

/** Decided by the embedded cluster, by what says it instead. */
const OWN: Readonly<Record<string, string>> = {
  'cluster.node_id': '--nodes',
  'cluster.peers': '--nodes',
  'http.port': '--port',
  'http.public_url': '--port',
  'storage.data_directory': '--data',
}

/** The configuration of the node `at` that place among `ids`. */
export function configOf(
  options: Pick<EmbeddedOptions, 'port' | 'sets' | 'environment'>,
  ids: readonly string[],
  id: string,
  at: number,
): Config {
  const { sets = [], environment = {} } = options
  for (const set of sets) {
    const [path = ''] = set.split('=')
    if (OWN[path] !== undefined) throw new ConfigError([`${path}: each node of an embedded cluster has its own; see ${OWN[path]}`])
  }
  const port = options.port === 0 ? 0 : options.port + at
  const own = [`cluster.node_id=${id}`, `cluster.peers=${ids.join(',')}`, `http.port=${port}`, 'http.public_url=']
  const config = parseConfig({ file: null, environment, sets: [...sets, ...own] })
  const { metrics } = config
  return metrics.port === 0 ? config : { ...config, metrics: { ...metrics, port: metrics.port + at } }
}
