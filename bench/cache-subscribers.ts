/**
 * How long it takes until subscribers have heard of a write: from the moment at which it is sent to each of them, over connections
 * spread over three nodes. Writes one by one, so what is measured is the way: log, copies, home, gateways, sockets. fsync on. The
 * subscribers share one process, which takes its part of the time at a thousand.
 *
 * `--seconds N` a row, `--only keys|all`, `--subscribers 1,100`, `--pause MS` between writes, `--profiles DIRECTORY`.
 */
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { type BenchCluster, startBenchCluster } from './cluster.ts'
import { describeMachine } from './machine.ts'
import { BatchingSocket } from './socket.ts'

const SUBSCRIBERS = '1,100,1000'
const FILTERS = ['keys', 'all'] as const
const PAUSE_MS = 20
const WARM_WRITES = 50
const LOST_MS = 10_000

interface Wish {
  readonly count: number
  readonly filter: (typeof FILTERS)[number]
  readonly seconds: number
  readonly pauseMs: number
}

interface Round {
  readonly sentAt: number
  left: number
  readonly heardMs: number[]
  readonly done: () => void
}

export async function benchCacheSubscribers(options: ReadonlyMap<string, string>): Promise<void> {
  const seconds = Number(options.get('seconds') ?? 8)
  const pauseMs = Number(options.get('pause') ?? PAUSE_MS)
  const counts = (options.get('subscribers') ?? SUBSCRIBERS).split(',').map(Number)
  const filters = FILTERS.filter((filter) => filter === (options.get('only') ?? filter))
  process.stdout.write(
    `${describeMachine()}\nthree nodes and nats-server as processes, 3 replicas, fsync on, a write every ${pauseMs} ms\n\n`,
  )
  process.stdout.write(
    'subscribers  filter   writes  answered p50/p99 ms   each p50/p99/max ms      the last p50/p99 ms   each after the answer p50/p99 ms  CPU µs/write: nats, n1, n2, n3, load\n',
  )
  const cluster = await startBenchCluster({ profiles: options.get('profiles') })
  try {
    for (const filter of filters) for (const count of counts) await measure(cluster, { count, filter, seconds, pauseMs })
  } finally {
    await cluster.stop()
  }
}

async function measure(cluster: BenchCluster, { count, filter, seconds, pauseMs }: Wish): Promise<void> {
  const { urls } = cluster
  let round: Round | null = null
  const cache = `bench-${filter}-${count}`
  const what = filter === 'keys' ? { keys: ['k'] } : { all: true }
  const hear = (text: string): void => {
    for (const event of [JSON.parse(text) as unknown].flat() as { event?: string; version?: number }[]) {
      if (event.event !== 'cache.invalidate') continue
      if (round === null) continue
      round.heardMs.push(performance.now() - round.sentAt)
      if (--round.left === 0) round.done()
    }
  }
  const sockets = await Promise.all(
    Array.from({ length: count }, (_, nth) => subscriber(urls[nth % urls.length] as string, cache, what, hear)),
  )
  const writer = await BatchingSocket.open(urls[0] as string)
  const [each, last, answered, after]: [number[], number[], number[], number[]] = [[], [], [], []]
  const write = async (): Promise<readonly number[]> => {
    const sentAt = performance.now()
    const heardMs: number[] = []
    const heard = new Promise<void>((resolve, reject) => {
      round = { sentAt, left: count, heardMs, done: resolve }
      setTimeout(() => reject(new Error('somebody did not hear of a write')), LOST_MS).unref()
    })
    await writer.call('cache.put', { cache, key: 'k', data: 'x'.repeat(256) })
    answered.push(performance.now() - sentAt)
    await heard
    return heardMs
  }
  for (let nth = 0; nth < WARM_WRITES; nth++) await write()
  answered.length = 0
  const until = performance.now() + seconds * 1_000
  let writes = 0
  const [cpuBefore, loadBefore] = [cluster.cpuSeconds(), process.cpuUsage()]
  while (performance.now() < until) {
    const heardMs = await write()
    each.push(...heardMs)
    last.push(heardMs.at(-1) as number)
    const answeredMs = answered.at(-1) as number
    after.push(...heardMs.map((ms) => ms - answeredMs))
    writes += 1
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
  const { user, system } = process.cpuUsage(loadBefore)
  const cpu = [...cluster.cpuSeconds().map((now, at) => (now - (cpuBefore[at] ?? 0)) * 1e6), user + system]
  for (const socket of sockets) socket.close()
  writer.close()
  const head = `${String(count).padStart(11)}  ${filter.padEnd(6)} ${String(writes).padStart(8)}`
  process.stdout.write(
    `${head}  ${told(answered, [0.5, 0.99]).padEnd(20)}  ${told(each, [0.5, 0.99, 1]).padEnd(23)}  ${told(last, [0.5, 0.99]).padEnd(20)}  ${told(after, [0.5, 0.99]).padEnd(32)}  ${cpu.map((micros) => Math.round(micros / writes)).join(' ')}\n`,
  )
}

async function subscriber(url: string, cache: string, what: object, hear: (text: string) => void): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/ws`, 'tricord.v1.json')
  await once(socket, 'open')
  socket.send(JSON.stringify({ id: 1, op: 'cache.subscribe', cache, ...what }))
  const [first] = (await once(socket, 'message')) as [Buffer]
  if (!(JSON.parse(first.toString()) as { ok?: boolean }).ok) throw new Error(`not subscribed: ${first.toString()}`)
  socket.on('message', (data: Buffer) => hear(data.toString()))
  return socket
}

function told(values: readonly number[], quantiles: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b)
  return quantiles.map((q) => (sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN).toFixed(2)).join(' / ')
}
