/** A cluster of real processes over a real nats-server, with disks in a temporary directory. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type NatsServer, startNatsServer } from '../nats-server.ts'

export interface Exit {
  readonly code: number | null
  readonly signal: string | null
  readonly stderr: string
}

/** Of docs/operations.md: no NATS server, which on a busy machine may be one that took too long to answer. */
const TRY_LATER = 75
const NO_NATS = 'no NATS server at'
const STARTS_MAX = 5

/** One node process. `url` is known once it said that it is ready. */
export class NodeProcess {
  readonly id: string
  readonly data: string
  readonly #arguments: readonly string[]
  readonly #environment: Record<string, string>
  #child: ChildProcess | null = null
  #ended: Promise<Exit> | null = null
  #stderr = ''
  url = ''

  constructor(id: string, data: string, args: readonly string[], environment: Record<string, string> = {}) {
    this.id = id
    this.data = data
    this.#arguments = args
    this.#environment = environment
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  get stderr(): string {
    return this.#stderr
  }

  /** Starts the process; resolves once it is ready, rejects if it ends first. Told to be started again later it is, as by whoever looks after it. */
  async start(): Promise<void> {
    for (let tries = 1; ; tries++) {
      const ended = await this.#startOnce()
      if (ended === null) return
      if (ended.code !== TRY_LATER || tries === STARTS_MAX)
        throw new Error(`${this.id} ended with ${ended.code ?? ended.signal}: ${ended.stderr}`)
    }
  }

  /** Starts a process that cannot go on, and resolves with how it ends; again, where it did not even come to NATS. */
  async refusal(): Promise<Exit> {
    for (let tries = 1; ; tries++) {
      const ended = await this.launch()
      if (!ended.stderr.includes(NO_NATS) || tries === STARTS_MAX) return ended
    }
  }

  /** How it ended; null: it is ready. */
  async #startOnce(): Promise<Exit | null> {
    const exit = this.launch()
    const lines = createInterface({ input: this.#child?.stdout as NodeJS.ReadableStream })
    const ready = new Promise<string>((resolve) => lines.on('line', (line) => line.startsWith('ready ') && resolve(line)))
    const first = await Promise.race([ready, exit])
    if (typeof first !== 'string') return first
    this.url = first.split(' ')[2] ?? ''
    return null
  }

  /** Starts the process and resolves with how it ends. */
  launch(): Promise<Exit> {
    this.#stderr = ''
    const environment = { ...process.env, ...this.#environment, UV_THREADPOOL_SIZE: '8' }
    const child = spawn(process.execPath, ['dist/src/main.js', 'node', ...this.#arguments], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: environment,
    })
    this.#child = child
    child.stderr.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()))
    this.#ended = once(child, 'close').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as string | null,
      stderr: this.#stderr,
    }))
    return this.#ended
  }

  /** Resolves with its code once it is gone, and all that it said has been read. */
  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<number | null> {
    this.#child?.kill(signal)
    return (await this.#ended)?.code ?? null
  }

  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }
}

export interface ProcessCluster {
  readonly nats: NatsServer
  readonly nodes: readonly NodeProcess[]
  readonly root: string
  /** Another node process on an empty disk, not started and not among `nodes`. `--join` and the like go into `more`. */
  another(id: string, more: readonly string[], data?: string): NodeProcess
  /** Puts a node among `nodes`, or takes it out. */
  admit(node: NodeProcess): void
  dismiss(id: string): void
  node(id: string): NodeProcess
  /** The node that leads `locks`, by the word of a node that is up. */
  lockLeader(): Promise<NodeProcess>
  stop(): Promise<void>
}

export interface ClusterOptions {
  readonly sets?: readonly string[]
  readonly environment?: Record<string, string>
  readonly count?: number
  /** The port through which this node reaches the NATS server at `natsPort`. */
  readonly wire?: (id: string, natsPort: number) => Promise<number>
  /** Prepares the directory of a node's data. */
  readonly disk?: (data: string) => Promise<void>
}

export async function startProcesses(options: ClusterOptions = {}): Promise<ProcessCluster> {
  const nats = await startNatsServer()
  const root = await mkdtemp(join(tmpdir(), 'tricord-e2e-'))
  const ids = Array.from({ length: options.count ?? 3 }, (_, i) => `n${i + 1}`)
  const settings = [`cluster.peers=${ids.join(',')}`, 'http.port=0', 'log.level=warn', ...(options.sets ?? [])]
  const natsPort = Number(new URL(nats.url).port)
  const ports = new Map<string, number>()
  for (const id of ids) ports.set(id, (await options.wire?.(id, natsPort)) ?? natsPort)
  for (const id of ids) await options.disk?.(join(root, id))
  const create = (id: string, more: readonly string[] = [], data = join(root, id)): NodeProcess => {
    const own = [
      ...settings,
      `cluster.node_id=${id}`,
      `storage.data_directory=${data}`,
      `nats.servers=nats://127.0.0.1:${ports.get(id) ?? natsPort}`,
    ]
    return new NodeProcess(id, data, [...own.flatMap((set) => ['--set', set]), ...more], options.environment)
  }
  const nodes = ids.map((id) => create(id))
  await Promise.all(nodes.map((node) => node.start()))
  const node = (id: string): NodeProcess => {
    const found = nodes.find((candidate) => candidate.id === id)
    if (!found) throw new Error(`no node ${id}`)
    return found
  }
  return {
    nats,
    nodes,
    root,
    another: create,
    admit: (node) => void nodes.push(node),
    dismiss: (id) => void nodes.splice(nodes.indexOf(node(id)), 1),
    node,
    async lockLeader() {
      for (;;) {
        for (const { url } of nodes) {
          const leader = await leaderBy(url)
          if (leader) return node(leader)
        }
      }
    },
    async stop() {
      for (const process of nodes) process.resume()
      await Promise.all(nodes.map((process) => process.kill()))
      await nats.stop()
      await rm(root, { recursive: true, force: true })
    },
  }
}

async function leaderBy(url: string): Promise<string | null> {
  try {
    const response = await fetch(`${url}/cluster/status`, { signal: AbortSignal.timeout(2_000) })
    const { leader, nodes } = (await response.json()) as { leader: string | null; nodes: { id: string; state: string }[] }
    return nodes.some(({ id, state }) => id === leader && state === 'up') ? leader : null
  } catch {
    return null
  }
}

export interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
}

/** One call; rejects where no answer came (the outcome is then unknown). */
export async function call(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const init = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...init,
    signal: AbortSignal.timeout(40_000),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) }
}
