/**
 * A million locks, held at once: how fast they come, what they cost in memory, whether the event loops stall, and how long a
 * node needs to come back with them. `--locks N`, `--json FILE`.
 */
import { writeFileSync } from 'node:fs'
import { type BenchCluster, startBenchCluster } from './cluster.ts'
import { describeMachine } from './machine.ts'
import { BatchingSocket } from './socket.ts'

const LEASE_MS = 3_600_000
/** Callers per node: each takes one lock after the other. */
const CALLERS = 512
const WATCH_MS = 500
const MIB = 2 ** 20

/** The longest that each node's event loop was held up, in ms, since the watch began; and how many looks saw more than 50. */
class StallWatch {
  readonly worst: number[]
  looksOver50 = 0
  looks = 0
  readonly #cluster: BenchCluster
  readonly #timer: NodeJS.Timeout

  private constructor(cluster: BenchCluster) {
    this.#cluster = cluster
    this.worst = cluster.urls.map(() => 0)
    this.#timer = setInterval(() => void this.#look(), WATCH_MS)
  }

  /** What was before the watch (starting up) is not of it: reading the metric begins it anew. */
  static async begin(cluster: BenchCluster): Promise<StallWatch> {
    await Promise.all(cluster.urls.map((url) => fetch(`${url}/metrics`).then((response) => response.text())))
    return new StallWatch(cluster)
  }

  async #look(): Promise<void> {
    await Promise.all(
      this.#cluster.urls.map(async (url, at) => {
        const text = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(5_000) }).then(
          (response) => response.text(),
          () => '',
        )
        const seconds = Number(/tricord_event_loop_delay_seconds\{[^}]*quantile="max"[^}]*\} (\S+)/.exec(text)?.[1] ?? 0)
        this.looks++
        if (seconds > 0.05) this.looksOver50++
        this.worst[at] = Math.max(this.worst[at] ?? 0, seconds * 1_000)
      }),
    )
  }

  end(): string {
    clearInterval(this.#timer)
    return `longest stall ms: ${this.worst.map((ms) => ms.toFixed(0)).join(' ')}; ${this.looksOver50} of ${this.looks} looks saw more than 50`
  }
}

async function fill(cluster: BenchCluster, locks: number): Promise<number> {
  const began = performance.now()
  let taken = 0
  const sockets = await Promise.all(cluster.urls.map((url) => BatchingSocket.open(url)))
  const caller = async (socket: BatchingSocket): Promise<void> => {
    for (let number = taken++; number < locks; number = taken++)
      await socket.call('lock.acquire', { name: `held/${number}`, leaseMs: LEASE_MS })
  }
  await Promise.all(sockets.flatMap((socket) => Array.from({ length: CALLERS }, () => caller(socket))))
  for (const socket of sockets) socket.close()
  return (performance.now() - began) / 1_000
}

async function held(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(/^active_locks_gauge\{[^}]*\} (\d+)/m.exec(text)?.[1] ?? 0)
}

export async function benchMillion(options: ReadonlyMap<string, string>): Promise<void> {
  const locks = Number(options.get('locks') ?? 1_000_000)
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  const machine = describeMachine()
  say(`${machine}\nthree nodes and nats-server as processes, fsync on, ${locks} locks\n`)
  const cluster = await startBenchCluster(options.get('profiles'))
  try {
    const empty = cluster.residentBytes()
    const filling = await StallWatch.begin(cluster)
    const fillSeconds = await fill(cluster, locks)
    const fillStalls = filling.end()
    say(`filled in ${fillSeconds.toFixed(1)} s, ${Math.round(locks / fillSeconds)} per second; ${fillStalls}`)
    const resident = cluster.residentBytes()
    say(
      `resident MiB: empty ${empty.map((bytes) => (bytes / MIB).toFixed(0)).join(' ')}, full ${resident.map((bytes) => (bytes / MIB).toFixed(0)).join(' ')}`,
    )

    const { leader } = (await (await fetch(`${cluster.urls[0]}/cluster/status`)).json()) as { leader: string }
    const restarts: { readonly node: string; readonly readyMs: number; readonly heldMs: number; readonly stalls: string }[] = []
    for (const [at, id] of cluster.ids.entries()) {
      if (at > 1) break
      await cluster.kill(at)
      const began = performance.now()
      const readyMs = await cluster.restart(at)
      const loading = await StallWatch.begin(cluster)
      while ((await held(cluster.urls[at] ?? '')) < locks) await new Promise((resolve) => setTimeout(resolve, 20))
      const heldMs = performance.now() - began
      restarts.push({ node: id === leader ? `${id} (leader)` : id, readyMs, heldMs, stalls: loading.end() })
      const { node } = restarts.at(-1) ?? { node: '' }
      say(
        `${node} killed and started: ready after ${(readyMs / 1_000).toFixed(1)} s, all its locks there after ${(heldMs / 1_000).toFixed(1)} s`,
      )
    }
    say(
      `resident MiB after restarts: ${cluster
        .residentBytes()
        .map((bytes) => (bytes / MIB).toFixed(0))
        .join(' ')}`,
    )
    const file = options.get('json')
    if (file) writeFileSync(file, `${JSON.stringify({ machine, locks, fillSeconds, fillStalls, empty, resident, restarts }, null, 2)}\n`)
  } finally {
    await cluster.stop()
  }
}
