/**
 * Asks a real Jaeger for the trace of one acquire: `node scripts/jaeger-trace.mjs /path/to/jaeger` (or JAEGER=/path/to/jaeger).
 * Starts Jaeger (the all-in-one of version 1, or version 2), nats-server and three nodes on free loopback ports, takes a lock
 * by HTTP on a follower, reads the trace back through Jaeger's query API and prints it as a tree. Ends with 1, and says why,
 * unless every step is there, as often as it must be, below the right parent and by the right nodes. `--keep` leaves all of it
 * running until Ctrl-C.
 */
import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pass } from 'node:timers/promises'
import { ensureBuilt, ensureInstalled, ROOT } from './setup.mjs'

const IDS = ['n1', 'n2', 'n3']
const PATIENCE_MS = 30_000
const [SERVER, ASK] = ['POST /locks/:name/acquire', 'ask lock_acquire']
/** Of one acquire on a follower: each step, the step above it, and who takes it (`peers`: the leader, once for each of the others). */
const STEPS = [
  [SERVER, 'the caller', 'follower'],
  [ASK, SERVER, 'follower'],
  ['raft.forward', ASK, 'follower'],
  ['raft.propose', ASK, 'leader'],
  ['raft.wal', ASK, 'all'],
  ['raft.replicate', ASK, 'peers'],
  ['raft.commit', ASK, 'all'],
  ['raft.apply', ASK, 'all'],
  ['raft.reply', ASK, 'leader'],
]

const children = []
const root = mkdtempSync(join(tmpdir(), 'tricord-jaeger-'))

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  return port
}

function start(command, args, environment = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, ...environment } })
  children.push(child)
  child.on('error', (error) => stop(`${command}: ${error.message}`))
  return child
}

/** Tries until it gets an answer that is not null; null where none came in time. */
async function poll(attempt) {
  for (const until = performance.now() + PATIENCE_MS; performance.now() < until; await pass(100)) {
    const found = await attempt().catch(() => null)
    if (found) return found
  }
  return null
}

async function eventually(what, attempt) {
  return (await poll(attempt)) ?? stop(`waited ${PATIENCE_MS / 1_000} s in vain for ${what}`)
}

function stop(problem) {
  for (const child of children) child.kill('SIGKILL')
  rmSync(root, { recursive: true, force: true })
  if (problem) process.stderr.write(`${problem}\n`)
  process.exit(problem ? 1 : 0)
}

const json = async (url, init) => {
  const response = await fetch(url, init)
  return response.ok ? response.json() : null
}

const at = (port) => `127.0.0.1:${port}`

/** Version 1 is told by flags: every listener that its help names gets a port of its own, for none has to be where it always is. */
async function flagsOfVersion1(help, otlp, query) {
  const ports = new Map([
    ['collector.otlp.http.host-port', otlp],
    ['query.http-server.host-port', query],
  ])
  for (const [, name] of help.matchAll(/--([a-z.-]+host-port) /g)) if (!ports.has(name)) ports.set(name, await freePort())
  // The agent inside, which early ones have, reports to the collector inside.
  const reporter = 'reporter.grpc.host-port'
  if (ports.has(reporter)) ports.set(reporter, ports.get('collector.grpc-server.host-port'))
  return [...ports].map(([name, port]) => `--${name}=${at(port)}`)
}

/** Version 2 is an OpenTelemetry collector: a file, and only what it names listens. JSON is YAML. */
async function flagsOfVersion2(_help, otlp, query) {
  const file = join(root, 'jaeger.yaml')
  const pipeline = { receivers: ['otlp'], exporters: ['jaeger_storage_exporter'] }
  const config = {
    service: { extensions: ['jaeger_storage', 'jaeger_query'], pipelines: { traces: pipeline }, telemetry: { metrics: { level: 'none' } } },
    extensions: {
      jaeger_storage: { backends: { memory: { memory: { max_traces: 1_000 } } } },
      jaeger_query: { storage: { traces: 'memory' }, http: { endpoint: at(query) }, grpc: { endpoint: at(await freePort()) } },
    },
    receivers: { otlp: { protocols: { http: { endpoint: at(otlp) } } } },
    exporters: { jaeger_storage_exporter: { trace_storage: 'memory' } },
  }
  writeFileSync(file, JSON.stringify(config))
  return [`--config=file:${file}`]
}

async function startJaeger(binary) {
  const help = spawnSync(binary, ['--help'], { encoding: 'utf8' })
  if (help.error) stop(`${binary}: ${help.error.message}`)
  const [otlp, query] = [await freePort(), await freePort()]
  const version1 = help.stdout.includes('--collector.otlp.http.host-port')
  start(binary, await (version1 ? flagsOfVersion1 : flagsOfVersion2)(help.stdout, otlp, query))
  const urls = { otlp: `http://${at(otlp)}`, query: `http://${at(query)}` }
  await eventually('Jaeger', () => json(`${urls.query}/api/services`))
  return urls
}

async function startNodes(otlp) {
  const port = await freePort()
  start('nats-server', ['-a', '127.0.0.1', '-p', String(port)])
  await pass(300)
  const nodes = IDS.map((id) => {
    const sets = [`cluster.node_id=${id}`, `storage.data_directory=${root}/${id}`, `nats.servers=nats://127.0.0.1:${port}`, 'http.port=0']
    return start(process.execPath, [join(ROOT, 'dist/src/main.js'), 'node', ...sets.flatMap((set) => ['--set', set])], {
      OTEL_EXPORTER_OTLP_ENDPOINT: otlp,
      OTEL_BSP_SCHEDULE_DELAY: '200',
    })
  })
  return Promise.all(
    nodes.map(async (node) => {
      for await (const line of createInterface({ input: node.stdout })) if (line.startsWith('ready ')) return line.split(' ')[2]
      return stop('a node ended before it was ready')
    }),
  )
}

const parentOf = (span) => span.references.find(({ refType }) => refType === 'CHILD_OF')?.spanID
const tagOf = (tags, wanted) => tags.find(({ key }) => key === wanted)?.value
const nodeOf = ({ processes }, span) => tagOf(processes[span.processID].tags, 'service.instance.id')

/** The spans of a trace as lines, children below their parents in the order they began. */
function tree(trace) {
  const { spans } = trace
  const known = new Set(spans.map(({ spanID }) => spanID))
  const first = Math.min(...spans.map(({ startTime }) => startTime))
  const lines = []
  const put = (span, depth) => {
    const times = `${((span.startTime - first) / 1_000).toFixed(2).padStart(7)} ms ${(span.duration / 1_000).toFixed(2).padStart(7)} ms`
    const peer = tagOf(span.tags, 'tricord.peer')
    lines.push(`${times}  ${nodeOf(trace, span)}  ${'  '.repeat(depth)}${span.operationName}${peer ? ` (member ${peer})` : ''}`)
    const below = spans.filter((child) => parentOf(child) === span.spanID).sort((a, b) => a.startTime - b.startTime)
    for (const child of below) put(child, depth + 1)
  }
  for (const span of spans) if (!known.has(parentOf(span))) put(span, 0)
  return lines
}

/** What is wrong with the trace of an acquire on `follower`, one line each; none where it is whole. */
function problemsOf(trace, caller, leader, follower) {
  const others = IDS.filter((id) => id !== leader)
  const nodes = { leader: [leader], follower: [follower], all: IDS, peers: others.map(() => leader) }
  const nameOf = new Map(trace.spans.map(({ spanID, operationName }) => [spanID, operationName])).set(caller, 'the caller')
  const problems = []
  for (const [name, parent, takers] of STEPS) {
    const found = trace.spans.filter(({ operationName }) => operationName === name)
    const [by, wanted] = [
      found
        .map((span) => nodeOf(trace, span))
        .sort()
        .join(' '),
      nodes[takers].join(' '),
    ]
    if (by !== wanted) problems.push(`${name}: by ${by || 'nobody'}, not by ${wanted}`)
    for (const span of found) {
      const above = nameOf.get(parentOf(span))
      if (above !== parent) problems.push(`${name}: below ${above ?? 'a span that is not there'}, not below ${parent}`)
    }
  }
  const known = new Set(STEPS.map(([name]) => name))
  for (const { operationName } of trace.spans) if (!known.has(operationName)) problems.push(`${operationName}: not a step of an acquire`)
  return problems
}

const binary = process.argv.slice(2).find((word) => !word.startsWith('-')) ?? process.env.JAEGER
if (!binary) stop('say where Jaeger is: node scripts/jaeger-trace.mjs /path/to/jaeger')
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stop(''))
ensureInstalled()
ensureBuilt()
const jaeger = await startJaeger(binary)
const urls = await startNodes(jaeger.otlp)
const { leader } = await eventually('a lock leader', async () => {
  const status = await json(`${urls[0]}/cluster/status`)
  return status?.leader ? status : null
})
const follower = IDS.find((id) => id !== leader)
const [traceId, caller] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')]
const taken = await json(`${urls[IDS.indexOf(follower)]}/locks/traced/acquire`, {
  method: 'POST',
  headers: { 'content-type': 'application/json', traceparent: `00-${traceId}-${caller}-01` },
  body: '{"owner":"jaeger"}',
})
if (!taken) stop('the lock was not granted')
let trace = null
await poll(async () => {
  trace = (await json(`${jaeger.query}/api/traces/${traceId}`))?.data[0] ?? null
  return trace && problemsOf(trace, caller, leader, follower).length === 0
})
if (!trace) stop(`Jaeger knows nothing of trace ${traceId}`)
process.stdout.write(`trace ${traceId}: ${trace.spans.length} spans of ${Object.keys(trace.processes).length} processes\n\n`)
process.stdout.write(`${tree(trace).join('\n')}\n`)
const problems = problemsOf(trace, caller, leader, follower)
if (problems.length > 0) stop(`\nnot the trace of an acquire on a follower:\n  ${problems.join('\n  ')}`)
process.stdout.write(`\nwhole: every step there, below its parent, by the right node\n`)
if (process.argv.includes('--keep')) process.stdout.write(`\nJaeger: ${jaeger.query}/trace/${traceId}\n`)
else stop('')
