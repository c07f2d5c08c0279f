/**
 * The process: reads the configuration, makes the real ports, runs a node (or an embedded cluster), and turns what can go
 * wrong into an exit code: 2 configuration or usage, 70 a broken invariant, 74 the disk, 75 try again later.
 */
import { readFileSync } from 'node:fs'
import { ListenError } from './api/server.ts'
import { type Commands, createProgram } from './cli/program.ts'
import { CallError } from './cli/remote.ts'
import { IdentityError, openIdentity } from './cluster/identity.ts'
import { type Config, ConfigError, parseConfig } from './config.ts'
import { type EmbeddedCluster, startEmbedded } from './embedded.ts'
import { SystemClock } from './io/clock-system.ts'
import type { Clock } from './io/clock.ts'
import { DirectoryLockedError } from './io/directory-lock.ts'
import type { Random } from './io/random.ts'
import { SystemRandom } from './io/random-system.ts'
import { DiskFullError } from './io/storage.ts'
import { createFileStorage } from './io/storage-file.ts'
import { NatsOptionsError, NatsUnavailableError, connectNats } from './io/transport-nats.ts'
import { SoleCopyError } from './raft/host/recover.ts'
import { serve } from './serve.ts'
import { type Log, createLog } from './telemetry/log.ts'
import { type Telemetry, startTelemetry } from './telemetry/sdk.ts'
import { VERSION } from './version.ts'

const EXIT_FAILED = 1
const EXIT_USAGE = 2
const EXIT_BUG = 70
const EXIT_DISK = 74
const EXIT_TRY_LATER = 75

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

function die(code: number, message: string): never {
  process.stderr.write(`tricord: ${message}\n`)
  process.exit(code)
}

function onBug(error: unknown): never {
  return die(EXIT_BUG, `a broken invariant, this process stops: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
}

function onDiskFatal(error: Error): never {
  if (error instanceof DiskFullError) die(EXIT_TRY_LATER, `${error.message}, this process stops: make room, then start it again`)
  return die(EXIT_DISK, `the disk cannot be trusted any more, this process stops: ${error.stack ?? error.message}`)
}

/**
 * SIGTERM or SIGINT runs what was last given to the returned function, once, and ends the process with 0; a second signal
 * ends it at once. Listened for from the beginning: a node that waits for others has nothing to hand over, and the first
 * process of a container is not ended by a signal that it does not listen for.
 */
function stopOnSignal(): (stop: () => Promise<void>) => void {
  let stop = async (): Promise<void> => undefined
  let stopping = false
  const begin = (): void => {
    if (stopping) process.exit(EXIT_FAILED)
    stopping = true
    stop().then(
      () => process.exit(0),
      (error: unknown) => onBug(error),
    )
  }
  process.on('SIGTERM', begin)
  process.on('SIGINT', begin)
  return (next) => void (stop = next)
}

async function runNode(options: Parameters<Commands['runNode']>[0]): Promise<void> {
  const file = options.config === undefined ? null : readConfigFile(options.config)
  const config = parseConfig({ file, environment: process.env, sets: options.set })
  const { node_id: id, name } = config.cluster
  const onStop = stopOnSignal()
  const log = createLog(config.log.level, { node: id })
  const [clock, random] = [new SystemClock(), new SystemRandom()]
  const telemetry = telemetryOf(id, clock, random, log)
  const storage = createFileStorage(config.storage.data_directory, config.storage.engine, config.storage.disk_low_bytes)
  await storage.lock().catch(notUsable)
  const identity = await openIdentity(storage, clock, random, { node: id, cluster: name })
  const transport = await connectNats(name, id, identity.incarnation, { ...natsOptions(config), onWarning: (message) => log.warn(message) })
  const serving = await serve(
    config,
    identity,
    { clock, random, storage, transport },
    { log, traced: telemetry !== null, join: options.join, onBug, onDiskFatal },
  )
  onStop(async () => {
    log.info('stopping')
    await serving.stop()
    await telemetry?.shutdown()
  })
  await serving.ready()
  say(`ready ${id} ${serving.url}`)
}

/** A data directory that cannot be made or written to is a wrong setting, unlike a disk that fails at work. */
function notUsable(error: Error): never {
  if (['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST'].includes(errnoOf(error))) {
    throw new ConfigError([`storage.data_directory: ${error.message}`])
  }
  throw error
}

/** Of the key-value engines too: what they cannot open for another reason than damage or a full disk is the disk's fault. */
function errnoOf(error: unknown): string {
  const { code = '', syscall } = error instanceof Error ? (error as NodeJS.ErrnoException) : {}
  return syscall !== undefined || code.startsWith('LEVEL_') ? code : ''
}

function telemetryOf(node: string, clock: Clock, random: Random, log: Log): Telemetry | null {
  return startTelemetry(process.env, {
    node,
    version: VERSION,
    clock,
    random: () => random.next(),
    onWarning: (message) => log.warn(message),
  })
}

function readConfigFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new ConfigError([`${path}: ${error instanceof Error ? error.message : String(error)}`])
  }
}

function natsOptions(config: Config) {
  const { servers, user, password, token, credentials_file: credentialsFile, tls } = config.nats
  return { servers, user, password, token, credentialsFile, tls: { caFile: tls.ca_file, certFile: tls.cert_file, keyFile: tls.key_file } }
}

async function runEmbedded(options: {
  readonly nodes: number
  readonly port: number
  readonly data: string
  readonly set: readonly string[]
}): Promise<void> {
  const config = parseConfig({ file: null, environment: process.env, sets: options.set })
  const onStop = stopOnSignal()
  const log = createLog(config.log.level === 'info' ? 'warn' : config.log.level, {})
  const telemetry = telemetryOf('embedded', new SystemClock(), new SystemRandom(), log)
  const cluster = await startEmbedded({
    nodes: options.nodes,
    port: options.port,
    data: options.data,
    environment: process.env,
    sets: options.set,
    log,
    traced: telemetry !== null,
    onBug,
    onDiskFatal,
  })
  onStop(async () => {
    await cluster.stop()
    await telemetry?.shutdown()
  })
  for (const { node, url } of cluster.nodes) say(`ready ${node.id} ${url}`)
  welcome(cluster)
}

/** Lines that work when pasted. */
function welcome(cluster: EmbeddedCluster): void {
  const [first, second = first] = cluster.nodes.map(({ url }) => url)
  const json = `-H 'content-type: application/json'`
  process.stderr.write(`
Take a lock on one node, look at it on another, try to take it again, see the cluster:

  curl -s ${first}/locks/orders%2F42/acquire ${json} -d '{"owner":"job-9","leaseMs":30000}'
  curl -s ${second}/locks/orders%2F42/status
  curl -s ${second}/locks/orders%2F42/acquire ${json} -d '{"owner":"job-10","waitMs":1000}'
  curl -s ${first}/cluster/status

The API: ${first}/docs    Metrics: ${first}/metrics    Stop: Ctrl-C
`)
}

function exitCodeOf(error: unknown): number | null {
  if (
    error instanceof ConfigError ||
    error instanceof IdentityError ||
    error instanceof ListenError ||
    error instanceof NatsOptionsError ||
    error instanceof DirectoryLockedError
  )
    return EXIT_USAGE
  if (error instanceof SoleCopyError) return EXIT_DISK
  if (error instanceof NatsUnavailableError || error instanceof DiskFullError) return EXIT_TRY_LATER
  return error instanceof CallError ? EXIT_FAILED : null
}

process.on('uncaughtException', onBug)
process.on('unhandledRejection', onBug)
try {
  await createProgram({ runNode, runEmbedded }).parseAsync()
} catch (error) {
  const code = exitCodeOf(error)
  if (code === null && error instanceof Error && errnoOf(error) !== '') onDiskFatal(error)
  if (code === null) onBug(error)
  die(code, (error as Error).message)
}
