/**
 * Queues: enqueue, consume, end to end, half load, and a deep backlog drained. fsync on, three replicas; every message is
 * leased and acknowledged through the log. Load, NATS and nodes share this machine.
 *
 * `--only NAME` of a load, or `memory`: what a backlog takes (`--backlog N`); `--rate N`: a row more at so many calls a second; `--seconds N`, `--json FILE`, `--profiles DIRECTORY`.
 */
import { fork } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type BenchCluster, startBenchCluster } from './cluster.ts'
import { describeMachine } from './machine.ts'
import { outcomeOf } from './outcome.ts'
import type { QueueOutcome, QueueTask } from './queue-generator.ts'

const GENERATOR = fileURLToPath(new URL('./queue-generator.js', import.meta.url))
const BACKLOG = 1_000_000
const MEMORY_BACKLOG = 2_000_000
const WARM_MESSAGES = 100_000
const SETTLE_MS = 5_000

interface Load {
  readonly name: string
  readonly kind: 'http' | 'ws'
  /** Of all generators together. */
  readonly producers: number
  readonly consumers: number
  readonly batch: number
  readonly bytes: number
  readonly queues: number
  /** Messages enqueued before the clock runs, for those who only consume. */
  readonly prefill?: number
  readonly count?: number
  /** Calls per second; 0: closed loop. */
  readonly rate?: number
}

interface Row extends Load {
  readonly enqueuedPerSecond: number
  readonly acknowledgedPerSecond: number
  readonly enqueueMs: readonly [p50: number, p99: number]
  readonly deliveryMs: readonly [p50: number, p99: number]
  readonly redelivered: number
  /** Still in the queues: enqueued when their consumer had found them empty for the last time, and gone. */
  readonly left: number
  readonly lost: number
  /** CPU microseconds per message: nats, n1, n2, n3, load. */
  readonly cpuMicros: readonly number[]
  readonly fsyncsPerSecond: number
}

const load = (name: string, of: Partial<Load>): Load => ({
  name,
  kind: 'ws',
  producers: 99,
  consumers: 99,
  batch: 1,
  bytes: 256,
  queues: 100,
  ...of,
})

function loads(backlog: number): Load[] {
  return [
    load('enqueue', { consumers: 0 }),
    load('enqueue', { consumers: 0, kind: 'http' }),
    load('enqueue', { consumers: 0, batch: 10 }),
    load('enqueue', { consumers: 0, batch: 100 }),
    load('enqueue', { consumers: 0, bytes: 4_096 }),
    load('enqueue', { consumers: 0, queues: 1 }),
    load('consume', { producers: 0, prefill: 100_000 }),
    load('consume', { producers: 0, prefill: 200_000, batch: 10 }),
    load('consume', { producers: 0, prefill: 50_000, queues: 1 }),
    load('end to end', {}),
    load('end to end', { kind: 'http' }),
    load('end to end', { queues: 1 }),
    load('end to end', { bytes: 4_096 }),
    load('end to end', { batch: 10 }),
    load('end to end', { batch: 10, queues: 1 }),
    load('end to end', { batch: 100 }),
    load('deep backlog', { producers: 0, prefill: backlog, batch: 100, consumers: 24 }),
    load('deep backlog', { producers: 0, prefill: backlog, batch: 100, consumers: 24, queues: 1 }),
  ]
}

export async function benchQueues(options: ReadonlyMap<string, string>): Promise<void> {
  const seconds = Number(options.get('seconds') ?? 6)
  const machine = describeMachine()
  process.stdout.write(`${machine}\nthree nodes and nats-server as processes, 3 replicas, fsync on, ${seconds} s a row\n\n`)
  const cluster = await startBenchCluster({ profiles: options.get('profiles') })
  const rows: Row[] = []
  const only = options.get('only')
  const run = async (one: Load): Promise<Row> => {
    const row = await measure(cluster, one, seconds, `q${rows.length}`)
    rows.push(row)
    process.stdout.write(`${format(row)}\n`)
    return row
  }
  try {
    if (only === 'memory') return await weighBacklog(cluster, Number(options.get('backlog') ?? MEMORY_BACKLOG))
    process.stdout.write(`${HEAD}\n`)
    let fastest = 0
    for (const one of loads(Number(options.get('backlog') ?? BACKLOG)).filter(({ name }) => !only || name === only)) {
      const row = await run(one)
      if (one.name === 'end to end' && one.batch === 1 && one.kind === 'ws' && one.queues > 1 && one.bytes === 256)
        fastest = row.acknowledgedPerSecond
    }
    const rate = Number(options.get('rate') ?? 0)
    if (rate > 0) await run(load('fixed rate', { rate }))
    else if (fastest > 0) await run(load('half load', { rate: Math.floor(fastest / 2) }))
  } finally {
    await cluster.stop()
  }
  const file = options.get('json')
  if (file) writeFileSync(file, `${JSON.stringify({ machine, seconds, rows }, null, 2)}\n`)
}

/** What a backlog of small messages takes in each node's memory, and how long a node takes to start with it. */
async function weighBacklog(cluster: BenchCluster, count: number): Promise<void> {
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  const told = (): string =>
    cluster
      .residentBytes()
      .map((bytes) => `${Math.round(bytes / 2 ** 20)}`)
      .join(' ')
  const one = load('memory', { consumers: 0, producers: 24, batch: 100, bytes: 100, queues: 1, count })
  const url = cluster.urls[0] ?? ''
  await declare(url, 'deep')
  // Buffers and caches have their size by now: what comes next is the backlog's.
  await generate(cluster, { ...one, count: WARM_MESSAGES }, ['deep'], 3_600)
  const before = cluster.residentBytes()
  say(`resident MiB: ${told()} with ${WARM_MESSAGES} messages of ${one.bytes} B in one queue`)
  const began = performance.now()
  await generate(cluster, one, ['deep'], 3_600)
  const perSecond = Math.round((count * 1_000) / (performance.now() - began))
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
  const perMessage = cluster.residentBytes().map((bytes, at) => ((bytes - (before[at] ?? 0)) / count).toFixed(1))
  say(`resident MiB: ${told()} with ${count} more (${perSecond}/s): ${perMessage.join(' ')} B per message`)
  for (const at of cluster.ids.keys()) {
    await cluster.kill(at)
    const ms = await cluster.restart(at)
    say(`${cluster.ids[at]} is ready again ${Math.round(ms)} ms after its start, from kill -9`)
  }
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
  const total = ((await (await fetch(`${cluster.urls[0]}/v1/queues/deep`)).json()) as { readonly total: number }).total
  say(`resident MiB: ${told()} after that; ${total} messages in the queue`)
}

async function measure(cluster: BenchCluster, one: Load, seconds: number, prefix: string): Promise<Row> {
  const queues = Array.from({ length: one.queues }, (_, i) => `${prefix}-${i}`)
  await Promise.all(queues.map((queue) => declare(cluster.urls[0] ?? '', queue)))
  const filled = !one.prefill
    ? []
    : await generate(cluster, { ...one, consumers: 0, producers: 24, batch: 100, count: one.prefill, kind: 'ws' }, queues, 3_600)
  const [cpuBefore, fsyncsBefore] = [cluster.cpuSeconds(), await cluster.counter('tricord_wal_fsyncs_total')]
  const outcomes = await generate(cluster, one, queues, one.producers === 0 ? 3_600 : seconds)
  const total = (of: (outcome: QueueOutcome) => number): number => outcomes.reduce((sum, outcome) => sum + of(outcome), 0)
  const elapsed = Math.max(...outcomes.map(({ elapsedMs }) => elapsedMs)) / 1_000
  const spent = [...cluster.cpuSeconds().map((now, at) => now - (cpuBefore[at] ?? 0)), total(({ cpuSeconds }) => cpuSeconds)]
  const [enqueued, acknowledged] = [total((outcome) => outcome.enqueued), total((outcome) => outcome.acknowledged)]
  const left = await messagesIn(cluster.urls[0] ?? '', queues)
  return {
    ...one,
    enqueuedPerSecond: Math.round(enqueued / elapsed),
    acknowledgedPerSecond: Math.round(acknowledged / elapsed),
    enqueueMs: quantiles(outcomes.flatMap(({ enqueueMs }) => enqueueMs)),
    deliveryMs: quantiles(outcomes.flatMap(({ deliveryMs }) => deliveryMs)),
    redelivered: total(({ redelivered }) => redelivered),
    left,
    lost: filled.reduce((sum, outcome) => sum + outcome.enqueued, 0) + enqueued - acknowledged - left,
    cpuMicros: spent.map((second) => Math.round((second * 1e6) / Math.max(enqueued, acknowledged))),
    fsyncsPerSecond: Math.round(((await cluster.counter('tricord_wal_fsyncs_total')) - fsyncsBefore) / elapsed),
  }
}

async function messagesIn(url: string, queues: readonly string[]): Promise<number> {
  const totals = queues.map(
    async (queue) => ((await (await fetch(`${url}/v1/queues/${queue}`)).json()) as { readonly total: number }).total,
  )
  return (await Promise.all(totals)).reduce((sum, total) => sum + total, 0)
}

async function declare(url: string, queue: string): Promise<void> {
  const answer = await fetch(`${url}/v1/queues/${queue}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ maxLength: 10_000_000 }),
  })
  if (!answer.ok) throw new Error(await answer.text())
}

/** One generator per node, each with its share of the callers and all of the queues. */
function generate(cluster: BenchCluster, one: Load, queues: readonly string[], seconds: number): Promise<QueueOutcome[]> {
  const { urls } = cluster
  const share = (of: number, at: number): number => Math.floor(of / urls.length) + (at < of % urls.length ? 1 : 0)
  return Promise.all(
    urls.map(async (url, at) => {
      const { kind, batch, bytes, rate = 0, count = 0 } = one
      const task: QueueTask = {
        kind,
        url,
        batch,
        bytes,
        queues,
        seconds,
        producers: share(one.producers, at),
        consumers: share(one.consumers, at),
        consumersOfAll: one.consumers,
        consumersBefore: urls.slice(0, at).reduce((sum, _, before) => sum + share(one.consumers, before), 0),
        rate: rate / urls.length,
        count: share(count, at),
      }
      const child = fork(GENERATOR, [JSON.stringify(task)], { serialization: 'advanced' })
      return outcomeOf<QueueOutcome>(child)
    }),
  )
}

function quantiles(values: number[]): readonly [number, number] {
  values.sort((a, b) => a - b)
  return [values[Math.floor(values.length * 0.5)] ?? 0, values[Math.floor(values.length * 0.99)] ?? 0]
}

const HEAD =
  'load          kind  queues batch bytes   enqueued/s   acked/s  enqueue p50/p99 ms  delivery p50/p99 ms  redelivered   left lost  fsyncs/s  CPU us/message: nats n1 n2 n3 load'

function format(row: Row): string {
  const ms = ([p50, p99]: readonly [number, number]): string => `${p50.toFixed(1)} / ${p99.toFixed(1)}`.padStart(19)
  const head = `${row.name.padEnd(13)} ${row.kind.padEnd(5)} ${String(row.queues).padStart(6)} ${String(row.batch).padStart(5)} ${String(row.bytes).padStart(5)}`
  const rates = `${String(row.enqueuedPerSecond).padStart(12)} ${String(row.acknowledgedPerSecond).padStart(9)}`
  const tail = `${String(row.redelivered).padStart(12)} ${String(row.left).padStart(6)} ${String(row.lost).padStart(4)} ${String(row.fsyncsPerSecond).padStart(9)}  ${row.cpuMicros.join(' ')}`
  return `${head} ${rates} ${ms(row.enqueueMs)}  ${ms(row.deliveryMs)} ${tail}`
}
