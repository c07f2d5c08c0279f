/** nats-server and three nodes as processes, for a benchmark; and what they have cost so far. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { ProbeReading } from './stall-probe.ts'

const PROBE = new URL('./stall-probe.js', import.meta.url).href
const MAIN = fileURLToPath(new URL('../src/main.js', import.meta.url))
/** Linux counts CPU time of processes in hundredths of a second. */
const CLOCK_TICKS = 100
const IDS: readonly string[] = ['n1', 'n2', 'n3']

export interface BenchCluster {
  readonly urls: readonly string[]
  readonly ids: readonly string[]
  /** Of the nodes' data. */
  readonly directories: readonly string[]
  /** CPU seconds of each process since it started: nats, n1, n2, n3. */
  cpuSeconds(): number[]
  /** Resident memory of each node, in bytes. */
  residentBytes(): number[]
  /** SIGSTOP of the node at `at`, and SIGCONT. */
  pause(at: number): void
  resume(at: number): void
  /** kill -9 of the node at `at`; starting it again resolves with the ms until it was ready. */
  kill(at: number): Promise<void>
  restart(at: number): Promise<number>
  /** Asks the node at `at` to hand over and end; resolves with the ms until it has. */
  end(at: number): Promise<number>
  /** Starts another node, which joins; resolves with the ms until it was ready. */
  join(id: string): Promise<number>
  /** What the probe of each node saw since it was last asked; null of a node that is not there. */
  takeStalls(): Promise<(ProbeReading | null)[]>
  /** Sum over the nodes of one counter of /metrics, and over its series. */
  counter(name: string): Promise<number>
  /** What the node at `at` answers over its parent's channel; of nodes with a `main` that does. */
  tell(at: number, message: object): Promise<unknown>
  /** Gracefully, so that nodes that were asked for profiles write them. */
  stop(): Promise<void>
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

async function ready(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
    if (line.startsWith('ready ')) return line.split(' ')[2] ?? ''
  }
  throw new Error('a node ended before it was ready')
}

export interface BenchOptions {
  /** A directory that every thread of every node writes its CPU profile to. */
  readonly profiles?: string | undefined
  readonly environment?: Readonly<Record<string, string>>
  /** More settings, `key.path=value`. */
  readonly sets?: readonly string[]
  /** Whether `stall-probe.ts` watches the nodes' event loops. */
  readonly probed?: boolean
  /** More flags for Node itself. */
  readonly flags?: readonly string[]
  /** Run in place of a node's own: takes the same settings, says `ready` alike, and answers what it is told. */
  readonly main?: string
}

export async function startBenchCluster(options: BenchOptions = {}): Promise<BenchCluster> {
  const port = await freePort()
  const root = mkdtempSync(join(tmpdir(), 'tricord-bench-'))
  const nats = spawn('nats-server', ['-a', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' })
  const sets = (id: string) => [
    `cluster.node_id=${id}`,
    `storage.data_directory=${root}/${id}`,
    `nats.servers=nats://127.0.0.1:${port}`,
    'http.port=0',
    'log.level=error',
    ...(options.sets ?? []),
  ]
  await new Promise((resolve) => setTimeout(resolve, 300))
  const { profiles, environment = {}, probed = false, main = MAIN } = options
  const flags = [
    ...(profiles ? ['--cpu-prof', `--cpu-prof-dir=${profiles}`] : []),
    ...(probed ? ['--import', PROBE] : []),
    ...(options.flags ?? []),
  ]
  const launch = (id: string, more: readonly string[] = []): ChildProcess =>
    spawn(process.execPath, [...flags, main, 'node', ...sets(id).flatMap((set) => ['--set', set]), ...more], {
      stdio: probed || main !== MAIN ? ['ignore', 'pipe', 'inherit', 'ipc'] : ['ignore', 'pipe', 'inherit'],
      serialization: 'advanced',
      env: { ...process.env, ...environment, UV_THREADPOOL_SIZE: '16' },
    })
  const ids = [...IDS]
  const nodes = ids.map((id) => launch(id))
  const urls = await Promise.all(nodes.map(ready))
  const processes = (): ChildProcess[] => [nats, ...nodes]
  return {
    urls,
    ids,
    get directories() {
      return ids.map((id) => join(root, id))
    },
    cpuSeconds: () => processes().map(({ pid }) => cpuSecondsOf(pid ?? 0)),
    residentBytes: () => nodes.map(({ pid }) => residentBytesOf(pid ?? 0)),
    pause: (at) => void nodes[at]?.kill('SIGSTOP'),
    resume: (at) => void nodes[at]?.kill('SIGCONT'),
    async kill(at) {
      const node = nodes[at]
      if (!node) return
      node.kill('SIGKILL')
      await once(node, 'exit')
    },
    takeStalls: () => Promise.all(nodes.map(takeStalls)),
    async restart(at) {
      const began = performance.now()
      const node = launch(ids[at] ?? '')
      nodes[at] = node
      urls[at] = await ready(node)
      return performance.now() - began
    },
    async end(at) {
      const began = performance.now()
      const node = nodes[at]
      if (node && isUp(node)) {
        const ended = once(node, 'exit')
        node.kill('SIGTERM')
        await ended
      }
      return performance.now() - began
    },
    async join(id) {
      const began = performance.now()
      const node = launch(id, ['--join'])
      ids.push(id)
      nodes.push(node)
      urls.push(await ready(node))
      return performance.now() - began
    },
    async counter(name) {
      const texts = await Promise.all(urls.map(async (url) => (await fetch(`${url}/metrics`)).text()))
      const series = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, 'gm')
      return texts.flatMap((text) => [...text.matchAll(series)]).reduce((sum, [, value]) => sum + Number(value), 0)
    },
    async tell(at, message) {
      const node = nodes[at]
      if (node === undefined) throw new Error(`there is no node at ${at}`)
      const answer = once(node, 'message')
      node.send(message)
      const [told] = (await answer) as [unknown]
      return told
    },
    async stop() {
      const ended = nodes.map((node) => (isUp(node) ? once(node, 'exit') : Promise.resolve([])))
      for (const node of nodes) node.kill('SIGTERM')
      await Promise.all(ended)
      nats.kill('SIGKILL')
      rmSync(root, { recursive: true, force: true })
    },
  }
}

function isUp({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null
}

async function takeStalls(node: ChildProcess): Promise<ProbeReading | null> {
  if (!node.connected) return null
  node.send('take stalls')
  const [message] = (await once(node, 'message')) as [{ stalls: ProbeReading }]
  return message.stalls
}

function residentBytesOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1_024
}

function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS
}
