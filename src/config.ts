/**
 * Every setting of a node, in one schema: the YAML file's words are the requirements' (`cluster.node_id`,
 * `consensus.election_timeout_ms`, `locks.default_ttl_seconds`, …). `config/default.yaml` documents each one and a
 * test holds the two equal.
 *
 * Precedence: defaults < file < environment (`TRICORD_CLUSTER_NODE_ID`) < `--set cluster.node_id=n1`.
 * A wrong key or value is named with its path and what would be right; nothing starts half configured.
 */
import { z } from 'zod'
import { parse as parseYaml, YAMLParseError } from 'yaml'

const port = z.int().min(0).max(65_535)
const milliseconds = z.int().positive()
const bytes = z.int().positive()
/** To the millisecond: leases and waits are whole numbers of them. */
const seconds = z.number().multipleOf(0.001)
const nodeName = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'a node id is 1 to 64 of A-Z a-z 0-9 _ -')

const cluster = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, 'a cluster name is 1 to 64 of A-Z a-z 0-9 _ -')
    .default('tricord'),
  node_id: nodeName.default('n1'),
  peers: z.array(nodeName).min(1).max(7).default(['n1', 'n2', 'n3']),
  partitions: z.int().min(1).max(1024).default(64),
  replicas: z.int().min(1).max(7).default(3),
  failure_timeout_ms: milliseconds.min(200).default(1_000),
  move_bytes_per_second: z.union([z.literal(0), z.int().min(65_536)]).default(67_108_864),
})
const http = z.strictObject({
  host: z.string().default('127.0.0.1'),
  port: port.default(8080),
  public_url: z.string().default(''),
  body_bytes_max: bytes.default(2_097_152),
  batch_bytes_max: bytes.default(12_582_912),
  connections_max: z.int().positive().default(20_000),
  gateway: z.enum(['worker', 'inline']).default('worker'),
  drain_timeout_ms: milliseconds.default(5_000),
})
const nats = z.strictObject({
  servers: z.array(z.string()).min(1).default(['nats://127.0.0.1:4222']),
  user: z.string().default(''),
  password: z.string().default(''),
  token: z.string().default(''),
  credentials_file: z.string().default(''),
  tls: z
    .strictObject({
      ca_file: z.string().default(''),
      cert_file: z.string().default(''),
      key_file: z.string().default(''),
    })
    .prefault({}),
})
const consensus = z.strictObject({
  algorithm: z.literal('raft').default('raft'),
  election_timeout_ms: milliseconds.min(100).max(60_000).default(400),
  heartbeat_interval_ms: milliseconds.min(10).max(10_000).default(100),
  segment_bytes: bytes.min(1_048_576).default(67_108_864),
  log_bytes_max: bytes.min(65_536).default(4_194_304),
  checkpoint_interval_ms: milliseconds.default(1_000),
})
const locks = z.strictObject({
  default_ttl_seconds: seconds.min(1).max(86_400).default(30),
  max_wait_time_seconds: seconds.min(0).max(60).default(60),
})
const queues = z.strictObject({
  body_cache_bytes: z.int().min(0).default(67_108_864),
  metrics_max: z.int().min(0).max(10_000).default(200),
})
const caches = z.strictObject({
  node_bytes_max: z.int().min(1_048_576).default(268_435_456),
  replica_bytes_max: z.union([z.literal(0), z.int().min(1_048_576)]).default(1_073_741_824),
})
const storage = z.strictObject({
  data_directory: z.string().default(''),
  engine: z.enum(['auto', 'leveldb', 'rocksdb']).default('leveldb'),
  disk_low_bytes: z.int().min(0).default(268_435_456),
})
const limits = z.strictObject({
  mailbox_max: z.int().positive().default(65_536),
  pending_commands_max: z.int().positive().default(100_000),
})
const metrics = z.strictObject({ port: port.default(0) })
const log = z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info') })

export const configSchema = z
  .strictObject({
    cluster: cluster.prefault({}),
    http: http.prefault({}),
    nats: nats.prefault({}),
    consensus: consensus.prefault({}),
    locks: locks.prefault({}),
    queues: queues.prefault({}),
    caches: caches.prefault({}),
    storage: storage.prefault({}),
    limits: limits.prefault({}),
    metrics: metrics.prefault({}),
    log: log.prefault({}),
  })
  .superRefine((config, context) => {
    const { election_timeout_ms: election, heartbeat_interval_ms: heartbeat } = config.consensus
    if (election < 3 * heartbeat) {
      const message = `must be at least three heartbeats (3 * ${heartbeat} = ${3 * heartbeat})`
      context.addIssue({ code: 'custom', path: ['consensus', 'election_timeout_ms'], message })
    }
    if (new Set(config.cluster.peers).size !== config.cluster.peers.length) {
      context.addIssue({ code: 'custom', path: ['cluster', 'peers'], message: 'names a node twice' })
    }
  })

export type Config = z.infer<typeof configSchema>

/** A configuration that cannot be used; `problems` has one line per setting. main prints them and exits with 2. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(`the configuration cannot be used:\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
    this.problems = problems
  }
}

export interface ConfigSources {
  /** Text of the YAML file, or null: defaults only. */
  readonly file: string | null
  readonly environment: Readonly<Record<string, string | undefined>>
  /** `key.path=value` each. */
  readonly sets: readonly string[]
}

export function parseConfig(sources: ConfigSources): Config {
  const tree = sources.file === null ? {} : parseFile(sources.file)
  for (const [path, value] of fromEnvironment(sources.environment)) assign(tree, path, value)
  for (const set of sources.sets) {
    const at = set.indexOf('=')
    if (at < 1) throw new ConfigError([`--set ${set}: expected key.path=value, e.g. --set http.port=8081`])
    assign(tree, knownPath(set.slice(0, at)), set.slice(at + 1))
  }
  const parsed = configSchema.safeParse(tree)
  if (!parsed.success) throw new ConfigError(parsed.error.issues.map(describeIssue))
  return withDerived(parsed.data)
}

/** Settings whose default follows from another setting. */
function withDerived(config: Config): Config {
  const { cluster, http, storage } = config
  return {
    ...config,
    http: { ...http, public_url: http.public_url || (http.port === 0 ? '' : `http://${http.host}:${http.port}`) },
    storage: { ...storage, data_directory: storage.data_directory || `./data/${cluster.node_id}` },
  }
}

type Tree = Record<string, unknown>

function parseFile(text: string): Tree {
  let tree: unknown
  try {
    tree = parseYaml(text)
  } catch (error) {
    if (error instanceof YAMLParseError) throw new ConfigError([`the file is not YAML: ${error.message}`])
    throw error
  }
  if (tree === null || tree === undefined) return {}
  if (!isTree(tree)) throw new ConfigError(['the file must be a mapping of sections (cluster, http, nats, …)'])
  return withoutEmpty(tree)
}

/** A section, or a setting, of which only the name stands there (the rest is a comment, perhaps) is not given. */
function withoutEmpty(tree: Tree): Tree {
  const given = (value: unknown): unknown => (isTree(value) ? withoutEmpty(value) : (value ?? undefined))
  return Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, given(value)]))
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Every setting's path with its default: `cluster.node_id` -> 'n1'. */
export function settings(): ReadonlyMap<string, unknown> {
  const leaves = new Map<string, unknown>()
  const walk = (prefix: string, value: unknown): void => {
    if (isTree(value)) for (const [key, child] of Object.entries(value)) walk(prefix ? `${prefix}.${key}` : key, child)
    else leaves.set(prefix, value)
  }
  walk('', configSchema.parse({}))
  return leaves
}

function knownPath(path: string): string {
  if (settings().has(path)) return path
  const near = nearest(path)
  throw new ConfigError([`${path}: no such setting${near ? `; did you mean ${near}?` : ''}`])
}

function* fromEnvironment(environment: ConfigSources['environment']): Generator<[string, string]> {
  const byVariable = new Map([...settings().keys()].map((path) => [`TRICORD_${path.replaceAll('.', '_').toUpperCase()}`, path]))
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith('TRICORD_') || value === undefined) continue
    const path = byVariable.get(variable)
    if (path === undefined) throw new ConfigError([`environment variable ${variable}: no such setting`])
    yield [path, value]
  }
}

/** Texts from the environment and the command line become what the setting's default is made of. */
function assign(tree: Tree, path: string, text: string): void {
  const steps = path.split('.')
  const last = steps.pop() as string
  let node = tree
  for (const step of steps) {
    const next = node[step]
    if (isTree(next)) node = next
    else node = (node[step] = {}) as Tree
  }
  node[last] = coerce(text, settings().get(path))
}

function coerce(text: string, like: unknown): unknown {
  if (typeof like === 'number') return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text
  if (Array.isArray(like)) return text.split(',').map((item) => item.trim())
  return text
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const path = issue.path.join('.')
  if (issue.code !== 'unrecognized_keys') return `${path || '(top level)'}: ${issue.message}`
  const named = issue.keys.map((key) => {
    const full = path ? `${path}.${key}` : key
    const near = nearest(full)
    return `${full}: no such setting${near ? `; did you mean ${near}?` : ''}`
  })
  return named.join('; ')
}

/** The known path with the smallest edit distance, if it is near enough to be meant. */
function nearest(path: string): string | null {
  let best: string | null = null
  let bestDistance = Math.max(3, Math.floor(path.length / 3))
  for (const known of settings().keys()) {
    const distance = editDistance(path, known)
    if (distance < bestDistance) [best, bestDistance] = [known, distance]
  }
  return best
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
