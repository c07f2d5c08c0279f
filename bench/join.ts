/**
 * What clients feel while partitions move: a steady load on one queue per partition, and for every partition the longest time
 * that one enqueue took, in each phase:
 *
 *   before ─> a fourth node joins ─> one ends gracefully (SIGTERM) ─> it is started again ─> one is taken out of the cluster
 *
 * A phase lasts until every group is where the table wants it, led by its preferred node. Clients speak to nodes that stay.
 * `--every MS` between messages of a queue, `--seconds N` of the first phase, `--only PHASE`, `--json FILE`, `--profiles DIRECTORY`, `--verbose 1`.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type BenchCluster, startBenchCluster } from './cluster.ts'
import { describeMachine } from './machine.ts'
import { type PhaseStalls, describeStalls, readStalls } from './stalls.ts'
import type { Pause, SteadyFinal, SteadyReading, SteadyTask } from './steady-load.ts'

const LOAD = fileURLToPath(new URL('./steady-load.js', import.meta.url))
const PARTITIONS = 64
const WARM_MS = 6_000
const POLL_MS = 500
const SETTLED_MS = 2_000
const MOVE_MAX_MS = 180_000
/** What an enqueue may take while its partition moves. */
const AIM_MS = 200

interface Phase {
  readonly name: string
  readonly seconds: number
  /** Over the partitions, of the longest enqueue of each: ms. */
  readonly pauseMs: { readonly p50: number; readonly p99: number; readonly max: number; readonly over200: number }
  /** Of those over 200 ms: still over it without the time that some node's event loop waited for a core meanwhile. */
  readonly ownOver200: number
  readonly enqueueMs: { readonly p50: number; readonly p99: number }
  readonly reading: SteadyReading
  readonly stalls: readonly PhaseStalls[]
}

interface Placement {
  readonly group: string
  readonly replicas: readonly string[]
}

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function ask<T>(url: string, path: string, init: RequestInit = {}): Promise<T> {
  const answer = await fetch(`${url}${path}`, init)
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`)
  return (await answer.json()) as T
}

/** One name for each partition. */
async function queuePerPartition(url: string): Promise<readonly string[]> {
  const names = new Map<number, string>()
  for (let i = 0; names.size < PARTITIONS; i++) {
    const { partition } = await ask<{ partition: number }>(url, `/v1/ring/explain?queue=steady-${i}`)
    if (!names.has(partition)) names.set(partition, `steady-${i}`)
  }
  return [...names].sort(([a], [b]) => a - b).map(([, name]) => name)
}

/** Whether these are the members, and every group has the replicas of the table and its preferred leader, by the word of `url`. */
async function settled(url: string, ids: readonly string[]): Promise<boolean> {
  const status = await ask<{ nodes: { id: string; state: string }[]; groups: { id: string; leader: string; replicas: string[] }[] }>(
    url,
    '/cluster/status',
  )
  const { placements } = await ask<{ placements: readonly Placement[] }>(url, '/v1/ring')
  const up = status.nodes.filter(({ state }) => state === 'up').map(({ id }) => id)
  if (up.length !== status.nodes.length || up.toSorted().join() !== ids.toSorted().join()) return false
  const wanted = new Map(placements.map(({ group, replicas }) => [group, replicas]))
  return status.groups.every(({ id, leader, replicas }) => {
    const row = wanted.get(id) ?? []
    return row.toSorted().join() === replicas.toSorted().join() && leader === row[0]
  })
}

class Moves {
  readonly phases: Phase[] = []
  readonly #cluster: BenchCluster
  readonly #load: ChildProcess
  readonly #verbose: boolean

  constructor(cluster: BenchCluster, load: ChildProcess, verbose: boolean) {
    this.#cluster = cluster
    this.#load = load
    this.#verbose = verbose
  }

  async #told<T>(message: object): Promise<T> {
    const answer = once(this.#load, 'message')
    this.#load.send(message)
    const [value] = (await answer) as [T]
    return value
  }

  async phase(name: string, run: () => Promise<void>): Promise<void> {
    await this.#told({ take: true })
    await this.#cluster.takeStalls()
    const began = performance.now()
    await run()
    const seconds = (performance.now() - began) / 1_000
    const { reading } = await this.#told<{ reading: SteadyReading }>({ take: true })
    const stalls = await readStalls(this.#cluster)
    const longest = reading.longest.map(({ ms }) => ms).sort((a, b) => a - b)
    const at = (quantile: number): number => longest[Math.min(longest.length - 1, Math.floor(longest.length * quantile))] ?? 0
    const pauseMs = { p50: at(0.5), p99: at(0.99), max: at(1), over200: longest.filter((ms) => ms > AIM_MS).length }
    const ownOver200 = reading.longest.filter((one) => one.ms - waitedForCore(one, stalls) > AIM_MS).length
    const phase: Phase = { name, seconds, pauseMs, ownOver200, enqueueMs: { p50: reading.p50, p99: reading.p99 }, reading, stalls }
    this.phases.push(phase)
    say(describe(phase))
    for (const [error, count] of reading.failures) say(`    ${count} calls repeated: ${error}`)
    if (this.#verbose) say(reading.pauses.map(describePause).join('\n'))
    if (this.#verbose) say(describeStalls(stalls, true))
  }

  /** Until the cluster is as it should be, and a little longer. */
  async untilSettled(by: number, ids: readonly string[]): Promise<void> {
    const until = performance.now() + MOVE_MAX_MS
    while (!(await settled(this.#cluster.urls[by] ?? '', ids))) {
      if (performance.now() > until) throw new Error('the partitions do not come to rest')
      await pause(POLL_MS)
    }
    await pause(SETTLED_MS)
  }

  async use(nodes: readonly number[]): Promise<void> {
    await this.#told({ use: nodes.map((at) => this.#cluster.urls[at] ?? '') })
    await pause(SETTLED_MS)
  }

  async end(): Promise<SteadyFinal> {
    return (await this.#told<{ final: SteadyFinal }>({ end: true })).final
  }
}

/** How long a command may have waited for nodes whose threads got no core: at each node, within the pause. */
function waitedForCore({ at, ms }: Pause, stalls: readonly PhaseStalls[]): number {
  const until = at + ms
  const waits = stalls.flatMap((node) => node.waits)
  return waits.reduce((sum, [from, to, waitedMs]) => sum + Math.min(waitedMs, Math.max(0, Math.min(to, until) - Math.max(from, at))), 0)
}

function describe({ name, seconds, pauseMs, ownOver200, enqueueMs, reading }: Phase): string {
  const { p50, p99, max, over200 } = pauseMs
  const cells = [p50, p99, max].map((ms) => ms.toFixed(0).padStart(6)).join(' ')
  const rate = (reading.enqueued / seconds).toFixed(0).padStart(6)
  const latency = `${enqueueMs.p50.toFixed(1)} / ${enqueueMs.p99.toFixed(1)}`.padStart(15)
  return `${name.padEnd(22)} ${seconds.toFixed(1).padStart(6)} ${rate} ${latency}  ${cells}  ${`${over200} (${ownOver200})`.padStart(8)}  ${String(reading.redelivered).padStart(11)}`
}

const HEAD =
  'phase                       s  enq/s enqueue p50/p99  longest per partition: p50 p99 max ms, partitions over 200 ms (had nobody waited for a core), redelivered'

function describePause({ queue, at, ms, via, failures }: Pause): string {
  return `    partition ${queue}: ${ms.toFixed(0)} ms from ${new Date(at).toISOString().slice(14, 23)} via ${via}, failed ${failures} times`
}

export async function benchJoin(options: ReadonlyMap<string, string>): Promise<void> {
  const everyMs = Number(options.get('every') ?? 20)
  const seconds = Number(options.get('seconds') ?? 20)
  const machine = describeMachine()
  say(
    `${machine}\nnodes, nats-server and load as processes, 3 replicas, fsync on, ${PARTITIONS} queues with a message every ${everyMs} ms\n`,
  )
  const level = options.get('log') ?? 'error'
  const sets = [`cluster.partitions=${PARTITIONS}`, `log.level=${level}`]
  const cluster = await startBenchCluster({ probed: true, profiles: options.get('profiles'), sets })
  try {
    const queues = await queuePerPartition(cluster.urls[0] ?? '')
    const task: SteadyTask = { urls: cluster.urls, queues, everyMs, bytes: 256 }
    const load = fork(LOAD, [JSON.stringify(task)], { serialization: 'advanced' })
    await once(load, 'message')
    const moves = new Moves(cluster, load, options.has('verbose'))
    await pause(WARM_MS)
    say(HEAD)
    const rest = (options.get('only') ?? 'end,again,leave').split(',')
    await moves.phase('before', () => pause(seconds * 1_000))
    await moves.phase('a fourth joins', async () => {
      await cluster.join('n4')
      await moves.untilSettled(0, ['n1', 'n2', 'n3', 'n4'])
    })
    if (rest.includes('end')) await endAndStartAgain(moves, cluster)
    if (rest.includes('leave')) await leave(moves, cluster)
    const final = await moves.end()
    say(`\n${final.enqueued} messages, lost ${final.lost}, again after their ack ${final.afterAck}, redelivered ${final.redelivered}`)
    const file = options.get('json')
    if (file) writeFileSync(file, `${JSON.stringify({ machine, everyMs, phases: moves.phases, final }, null, 2)}\n`)
  } finally {
    await cluster.stop()
  }
}

async function endAndStartAgain(moves: Moves, cluster: BenchCluster): Promise<void> {
  await moves.use([0, 2, 3])
  await moves.phase('one ends (SIGTERM)', async () => {
    await cluster.end(1)
    await pause(SETTLED_MS)
  })
  await moves.phase('it starts again', async () => {
    await cluster.restart(1)
    await moves.untilSettled(0, ['n1', 'n2', 'n3', 'n4'])
  })
}

async function leave(moves: Moves, cluster: BenchCluster): Promise<void> {
  await moves.use([1, 2, 3])
  await moves.phase('one is taken out', async () => {
    await ask(cluster.urls[1] ?? '', '/v1/cluster/members/n1', { method: 'DELETE' })
    await moves.untilSettled(1, ['n2', 'n3', 'n4'])
  })
}
