/**
 * Asks a real Jaeger for the trace of one acquire: `JAEGER=/path/to/jaeger-all-in-one node scripts/jaeger-trace.mjs`.
 * Starts Jaeger, nats-server and three nodes on free loopback ports, takes a lock by HTTP on a follower, reads the trace back
 * through Jaeger's query API, prints it as a tree and says what is missing from it. `--keep` leaves all of it running.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pass } from 'node:timers/promises'
import { ensureBuilt, ensureInstalled, ROOT } from './setup.mjs'

const IDS = ['n1', 'n2', 'n3']
const PATIENCE_MS = 30_000
/** Of one acquire on a follower: what must be there, and how often. */
const WANTED = {
  'POST /locks/:name/acquire': 1,
  'ask lock_acquire': 1,
  'raft.forward': 1,
  'raft.propose': 1,
  'raft.wal': 3,
  'raft.replicate': 2,
  'raft.commit': 3,
  'raft.apply': 3,
  'raft.reply': 1,
}

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

/** Tries until it gets an answer that is not null. */
async function eventually(what, attempt) {
  for (const until = performance.now() + PATIENCE_MS; performance.now() < until; await pass(100)) {
    const found = await attempt().catch(() => null)
    if (found) return found
  }
  return stop(`waited ${PATIENCE_MS / 1_000} s in vain for ${what}`)
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

async function startJaeger(binary) {
  const [otlp, query] = [await freePort(), await freePort()]
  const others = ['admin', 'grpc', 'otlp-grpc', 'collector', 'collector-grpc', 'zipkin', 'sampling', 'compact', 'binary']
  const ports = Object.fromEntries(await Promise.all(others.map(async (name) => [name, await freePort()])))
  const at = (port) => `127.0.0.1:${port}`
  start(binary, [
    `--collector.otlp.http.host-port=${at(otlp)}`,
    `--collector.otlp.grpc.host-port=${at(ports['otlp-grpc'])}`,
    `--query.http-server.host-port=${at(query)}`,
    `--query.grpc-server.host-port=${at(ports.grpc)}`,
    `--admin.http.host-port=${at(ports.admin)}`,
    `--collector.http-server.host-port=${at(ports.collector)}`,
    `--collector.grpc-server.host-port=${at(ports['collector-grpc'])}`,
    `--http-server.host-port=${at(ports.sampling)}`,
    `--processor.jaeger-compact.server-host-port=${at(ports.compact)}`,
    `--processor.jaeger-binary.server-host-port=${at(ports.binary)}`,
    `--reporter.grpc.host-port=${at(ports['collector-grpc'])}`,
  ])
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

/** The spans of a trace as lines, children below their parents in the order they began. */
function tree({ spans, processes }) {
  const parentOf = (span) => span.references.find(({ refType }) => refType === 'CHILD_OF')?.spanID
  const known = new Set(spans.map(({ spanID }) => spanID))
  const first = Math.min(...spans.map(({ startTime }) => startTime))
  const lines = []
  const put = (span, depth) => {
    const instance = processes[span.processID].tags.find(({ key }) => key === 'service.instance.id')?.value
    const times = `${((span.startTime - first) / 1_000).toFixed(2).padStart(7)} ms ${(span.duration / 1_000).toFixed(2).padStart(7)} ms`
    const peer = span.tags.find(({ key }) => key === 'tricord.peer')
    lines.push(`${times}  ${instance}  ${'  '.repeat(depth)}${span.operationName}${peer ? ` (member ${peer.value})` : ''}`)
    const below = spans.filter((child) => parentOf(child) === span.spanID).sort((a, b) => a.startTime - b.startTime)
    for (const child of below) put(child, depth + 1)
  }
  for (const span of spans) if (!known.has(parentOf(span))) put(span, 0)
  return lines
}

const binary = process.env.JAEGER
if (!binary) stop('say where Jaeger is: JAEGER=/path/to/jaeger-all-in-one node scripts/jaeger-trace.mjs')
ensureInstalled()
ensureBuilt()
const jaeger = await startJaeger(binary)
const urls = await startNodes(jaeger.otlp)
const { leader } = await eventually('a lock leader', async () => {
  const status = await json(`${urls[0]}/cluster/status`)
  return status?.leader ? status : null
})
const follower = urls[IDS.findIndex((id) => id !== leader)]
const trace = randomBytes(16).toString('hex')
const taken = await json(`${follower}/locks/traced/acquire`, {
  method: 'POST',
  headers: { 'content-type': 'application/json', traceparent: `00-${trace}-${randomBytes(8).toString('hex')}-01` },
  body: '{"owner":"jaeger"}',
})
if (!taken) stop('the lock was not granted')
const count = ({ spans }, name) => spans.filter(({ operationName }) => operationName === name).length
let found = null
await eventually('the whole trace', async () => {
  found = (await json(`${jaeger.query}/api/traces/${trace}`))?.data[0] ?? null
  return found && Object.entries(WANTED).every(([name, times]) => count(found, name) === times)
}).catch(() => null)
process.stdout.write(`trace ${trace}: ${found.spans.length} spans of ${Object.keys(found.processes).length} processes\n\n`)
process.stdout.write(`${tree(found).join('\n')}\n`)
if (process.argv.includes('--keep')) process.stdout.write(`\nJaeger: ${jaeger.query}/trace/${trace}\n`)
else stop('')
