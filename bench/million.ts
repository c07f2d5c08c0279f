/**
 * A million locks, held at once: how fast they come, what they cost in memory, and whether the event loops stall
 *
 *   fill ─> kill -9 and start, a follower and the leader ─> a follower too far behind: snapshot ─> renew to a common end
 *        ─> all leases end at once ─> fill again ─> the sessions are closed, each with its third of the locks
 *
 * `--locks N`, `--json FILE`, `--profiles DIRECTORY`, `--flags "--some-flag-of-node"`, `--verbose 1` (the longest stalls, one by one).
 */
import { writeFileSync } from 'node:fs'
import { type BenchCluster, startBenchCluster } from './cluster.ts'
import { describeMachine } from './machine.ts'
import { BatchingSocket } from './socket.ts'
import { type PhaseStalls, describeStalls, readStalls } from './stalls.ts'

const LEASE_MS = 3_600_000
/** Callers per node: each does one thing after the other. */
const CALLERS = 512
/** More than the leases take to be moved to the common end. */
const END_BASE_MS = 15_000
const END_MS_PER_LOCK = 0.06
const POLL_MS = 20
/** Share of the locks renewed while a follower is away: more log than leaders keep in memory. */
const AWAY_SHARE = 0.2
const SOCKETS = 3

interface Phase {
  readonly name: string
  readonly seconds: number
  readonly stalls: readonly PhaseStalls[]
  readonly [figure: string]: unknown
}

interface Held {
  readonly name: string
  readonly grantId: string
  /** Which of the sessions. */
  readonly session: number
}

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

class Million {
  readonly phases: Phase[] = []
  readonly #cluster: BenchCluster
  readonly #locks: number
  readonly #verbose: boolean
  #sessions: string[] = []
  #held: Held[] = []

  constructor(cluster: BenchCluster, locks: number, verbose: boolean) {
    this.#cluster = cluster
    this.#locks = locks
    this.#verbose = verbose
  }

  /** Runs one phase between two readings of the probes. */
  async #phase(name: string, run: () => Promise<Readonly<Record<string, unknown>>>): Promise<void> {
    await this.#cluster.takeStalls()
    const began = performance.now()
    const figures = await run()
    const seconds = (performance.now() - began) / 1_000
    const stalls = await readStalls(this.#cluster)
    this.phases.push({ name, seconds, ...figures, stalls })
    const told = Object.entries(figures).map(([figure, value]) => `${figure} ${String(value)}`)
    say(`${name}: ${seconds.toFixed(1)} s  ${told.join('  ')}\n${describeStalls(stalls, this.#verbose)}`)
  }

  /** One socket per session, at `urls`. */
  async #connect(urls: readonly string[]): Promise<BatchingSocket[]> {
    const sockets = await Promise.all(Array.from({ length: SOCKETS }, (_, at) => BatchingSocket.open(urls[at % urls.length] ?? '')))
    if (this.#sessions.length === 0) {
      const opened = await Promise.all(sockets.map((socket) => socket.call('session.open', {})))
      this.#sessions = opened.map(({ session }) => session as string)
    } else await Promise.all(sockets.map((socket, at) => socket.call('session.resume', { session: this.#sessions[at] })))
    return sockets
  }

  async fill(): Promise<void> {
    await this.#phase('fill', async () => {
      const sockets = await this.#connect(this.#cluster.urls)
      const held: Held[] = []
      const began = performance.now()
      await forEach(sockets, this.#locks, async (socket, session, number) => {
        const { grantId } = await socket.call('lock.acquire', { name: `held/${number}`, leaseMs: LEASE_MS })
        held.push({ name: `held/${number}`, grantId: grantId as string, session })
      })
      this.#held = held
      close(sockets)
      return { perSecond: Math.round((this.#locks / (performance.now() - began)) * 1_000) }
    })
  }

  async restart(at: number, what: string): Promise<void> {
    await this.#phase(`kill -9 and start ${what} (${this.#cluster.ids[at]})`, async () => {
      await this.#cluster.kill(at)
      const began = performance.now()
      const readyMs = await this.#cluster.restart(at)
      await this.#until(at, (held) => held >= this.#locks)
      return { readySeconds: seconds(readyMs), heldSeconds: seconds(performance.now() - began) }
    })
  }

  /** Renewals while it is away; then it cannot catch up from the log. */
  async fallBehind(at: number): Promise<void> {
    const before = await this.#snapshots()
    await this.#phase(`a follower far behind (${this.#cluster.ids[at]})`, async () => {
      await this.#cluster.kill(at)
      await this.#renew(LEASE_MS, Math.floor(this.#locks * AWAY_SHARE), at)
      await pause(2_000)
      const began = performance.now()
      const readyMs = await this.#cluster.restart(at)
      await this.#caughtUp(at)
      const figures = { readySeconds: seconds(readyMs), caughtUpSeconds: seconds(performance.now() - began) }
      return { ...figures, snapshots: (await this.#snapshots()) - before }
    })
  }

  /** Every lease ends at the same time, and that is waited for. */
  async expire(): Promise<void> {
    const end = performance.now() + END_BASE_MS + this.#locks * END_MS_PER_LOCK
    await this.#phase('renew to a common end', async () => {
      const began = performance.now()
      await this.#renew(() => Math.max(1_000, Math.round(end - performance.now())), this.#locks, -1)
      return { perSecond: Math.round((this.#locks / (performance.now() - began)) * 1_000) }
    })
    while ((await this.#heldAt(0)) === this.#locks) await pause(POLL_MS)
    this.#sessions = []
    await this.#phase('all leases end', async () => {
      for (const at of this.#cluster.ids.keys()) await this.#until(at, (held) => held === 0)
      return {}
    })
  }

  async closeSessions(): Promise<void> {
    const sockets = await this.#connect(this.#cluster.urls)
    await this.#phase(`${SOCKETS} sessions closed`, async () => {
      const closed = await Promise.all(sockets.map((socket) => socket.call('session.close', {})))
      for (const at of this.#cluster.ids.keys()) await this.#until(at, (held) => held === 0)
      close(sockets)
      return { released: closed.map(({ released }) => released).join('+') }
    })
    this.#sessions = []
  }

  async #renew(leaseMs: number | (() => number), count: number, away: number): Promise<void> {
    const sockets = await this.#connect(this.#cluster.urls.filter((_, at) => at !== away))
    const bySession = sockets.map((_, session) => this.#held.filter((held) => held.session === session))
    await forEach(sockets, count, async (socket, session) => {
      const held = bySession[session]?.pop()
      if (!held) return
      const { name, grantId } = held
      await socket.call('lock.renew', { name, grantId, leaseMs: typeof leaseMs === 'number' ? leaseMs : leaseMs() })
    })
    // What a quick socket left over to a slow one.
    for (const [session, rest] of bySession.entries()) {
      if (count < this.#locks) break
      await forEach([sockets[session] as BatchingSocket], rest.length, async (socket) => {
        const { name, grantId } = rest.pop() as Held
        await socket.call('lock.renew', { name, grantId, leaseMs: typeof leaseMs === 'number' ? leaseMs : leaseMs() })
      })
    }
    close(sockets)
  }

  async #heldAt(at: number): Promise<number> {
    return reading(this.#cluster.urls[at] ?? '', /^active_locks_gauge\{[^}]*\} (\d+)/m)
  }

  async #until(at: number, done: (held: number) => boolean): Promise<void> {
    while (!done(await this.#heldAt(at))) await pause(POLL_MS)
  }

  async #caughtUp(at: number): Promise<void> {
    const applied = /^tricord_raft_applied_index\{[^}]*group="locks"[^}]*\} (\d+)/m
    const target = await reading(this.#cluster.urls[(at + 1) % this.#cluster.urls.length] ?? '', applied)
    while ((await reading(this.#cluster.urls[at] ?? '', applied)) < target) await pause(POLL_MS)
  }

  #snapshots(): Promise<number> {
    return this.#cluster.counter('tricord_snapshots_sent_total')
  }
}

async function reading(url: string, pattern: RegExp): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(pattern.exec(text)?.[1] ?? 0)
}

const seconds = (ms: number): string => (ms / 1_000).toFixed(1)

function close(sockets: readonly BatchingSocket[]): void {
  for (const socket of sockets) socket.close()
}

/** `count` calls of `run`, so many at a time on every socket. */
async function forEach(
  sockets: readonly BatchingSocket[],
  count: number,
  run: (socket: BatchingSocket, session: number, number: number) => Promise<void>,
): Promise<void> {
  let begun = 0
  const caller = async (socket: BatchingSocket, session: number): Promise<void> => {
    for (let number = begun++; number < count; number = begun++) await run(socket, session, number)
  }
  await Promise.all(sockets.flatMap((socket, session) => Array.from({ length: CALLERS }, () => caller(socket, session))))
}

export async function benchMillion(options: ReadonlyMap<string, string>): Promise<void> {
  const locks = Number(options.get('locks') ?? 1_000_000)
  const machine = describeMachine()
  const flags = (options.get('flags') ?? '').split(' ').filter((flag) => flag !== '')
  say(`${machine} ${flags.join(' ')}\nthree nodes and nats-server as processes, fsync on, ${locks} locks; stalls in ms\n`)
  const cluster = await startBenchCluster({ profiles: options.get('profiles'), probed: true, flags })
  try {
    const million = new Million(cluster, locks, options.has('verbose'))
    const only = options.get('only') ?? ''
    const wants = (phase: string): boolean => only === '' || only.split(',').includes(phase)
    await million.fill()
    const { leader } = (await (await fetch(`${cluster.urls[0]}/cluster/status`)).json()) as { leader: string }
    const leads = Math.max(0, cluster.ids.indexOf(leader))
    if (wants('restart')) await million.restart((leads + 1) % cluster.ids.length, 'a follower')
    if (wants('restart')) await million.restart(leads, 'the leader')
    if (wants('behind')) await million.fallBehind((leads + 2) % cluster.ids.length)
    if (wants('expire')) await million.expire()
    if (wants('expire') && wants('close')) await million.fill()
    if (wants('close')) await million.closeSessions()
    const file = options.get('json')
    if (file) writeFileSync(file, `${JSON.stringify({ machine, flags, locks, phases: million.phases }, null, 2)}\n`)
  } finally {
    await cluster.stop()
  }
}
