/**
 * A node as `main` runs it, gateway and all, that also makes load inside of itself: told a task by its parent, it calls its
 * caches as its gateway would, and tells what it saw.
 */
import { createCaches } from '../src/cache/facade.ts'
import { openIdentity } from '../src/cluster/identity.ts'
import { parseConfig } from '../src/config.ts'
import { SystemClock } from '../src/io/clock-system.ts'
import { SystemRandom } from '../src/io/random-system.ts'
import { createFileStorage } from '../src/io/storage-file.ts'
import { connectNats } from '../src/io/transport-nats.ts'
import { serve } from '../src/serve.ts'
import { NO_LOG } from '../src/telemetry/log.ts'
import { NodeCacheCaller } from './cache-caller.ts'
import { CacheLoad, type CacheTask } from './cache-load.ts'

const NO_CREDENTIALS = { user: '', password: '', token: '', credentialsFile: '', tls: { caFile: '', certFile: '', keyFile: '' } }

function stop(error: unknown): never {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
  process.exit(1)
}

const sets = process.argv.filter((_, at) => process.argv[at - 1] === '--set')
const config = parseConfig({ file: null, environment: {}, sets })
const { node_id: node, name: cluster } = config.cluster
const [clock, random] = [new SystemClock(), new SystemRandom()]
const storage = createFileStorage(config.storage.data_directory, config.storage.engine, config.storage.disk_low_bytes)
await storage.lock()
const identity = await openIdentity(storage, clock, random, { node, cluster })
const transport = await connectNats(cluster, node, identity.incarnation, { ...NO_CREDENTIALS, servers: config.nats.servers })
const ports = { clock, random, storage, transport }
const serving = await serve(config, identity, ports, { log: NO_LOG, traced: false, onBug: stop, onDiskFatal: stop })
const caches = createCaches(serving.node.system, node)
process.on('SIGTERM', () => void serving.stop().then(() => process.exit(0), stop))
process.on('message', (task: CacheTask) => {
  const callers = Array.from({ length: task.callers }, () => new NodeCacheCaller(caches, task.cache))
  new CacheLoad(task).run(callers).then((outcome) => process.send?.(outcome), stop)
})
await serving.ready()
process.stdout.write(`ready ${node} ${serving.url}\n`)
