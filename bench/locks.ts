/** Uncontended acquire and release: each caller has a lock of its own. fsync is on; every operation is a log entry's worth. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type BenchCluster, startBenchCluster } from './cluster.ts'
import { describeMachine } from './machine.ts'

const GENERATOR = fileURLToPath(new URL('./generator.js', import.meta.url))

const KINDS = ['http', 'ws'] as const

export interface Row {
  readonly kind: (typeof KINDS)[number]
  readonly callers: number
  readonly opsPerSecond: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  /** CPU microseconds per operation: nats, n1, n2, n3, generators. */
  readonly cpuMicros: readonly number[]
  readonly fsyncsPerSecond: number
}

export async function benchLocks(options: ReadonlyMap<string, string>): Promise<void> {
  const seconds = Number(options.get('seconds') ?? 8)
  const machine = describeMachine()
  process.stdout.write(`${machine}\nthree nodes and nats-server as processes, fsync on, ${seconds} s a row\n\n`)
  const cluster = await startBenchCluster({ profiles: options.get('profiles') })
  const rows: Row[] = []
  try {
    process.stdout.write('kind  callers    ops/s   p50 ms   p95 ms   p99 ms  fsyncs/s  CPU us/op: nats n1 n2 n3 load\n')
    for (const kind of KINDS.filter((one) => listed(options, 'kinds')?.includes(one) ?? true)) {
      for (const callers of listed(options, 'callers')?.map(Number) ?? [1, 64, 512]) {
        const row = await measure(cluster, kind, callers, seconds, rows.length)
        rows.push(row)
        process.stdout.write(`${format(row)}\n`)
      }
    }
    const before = cluster.cpuSeconds()
    await new Promise((resolve) => setTimeout(resolve, 5_000))
    const idle = cluster.cpuSeconds().map((now, at) => (((now - (before[at] ?? 0)) / 5) * 100).toFixed(1))
    process.stdout.write(`\nidle, 66 groups: CPU % of a core: nats ${idle[0]}, nodes ${idle.slice(1).join(' ')}\n`)
  } finally {
    await cluster.stop()
  }
  const file = options.get('json')
  if (file) writeFileSync(file, `${JSON.stringify({ machine, seconds, rows }, null, 2)}\n`)
}

function listed(options: ReadonlyMap<string, string>, name: string): readonly string[] | undefined {
  return options.get(name)?.split(',')
}

export async function measure(cluster: BenchCluster, kind: Row['kind'], callers: number, seconds: number, round: number): Promise<Row> {
  const urls = callers === 1 ? cluster.urls.slice(0, 1) : cluster.urls
  const [cpuBefore, fsyncsBefore] = [cluster.cpuSeconds(), await cluster.counter('tricord_wal_fsyncs_total')]
  const results = await Promise.all(
    urls.map(async (url, at) => {
      const share = Math.floor(callers / urls.length) + (at < callers % urls.length ? 1 : 0)
      const child = fork(GENERATOR, [JSON.stringify({ kind, url, callers: share, seconds, prefix: `b${round}-${at}` })], {
        serialization: 'advanced',
      })
      const [result] = (await once(child, 'message')) as [{ latencies: number[]; cpuSeconds: number }]
      return result
    }),
  )
  const latencies = results.flatMap((result) => result.latencies).sort((a, b) => a - b)
  const operations = latencies.length
  const spent = cluster.cpuSeconds().map((now, at) => now - (cpuBefore[at] ?? 0))
  const load = results.reduce((sum, result) => sum + result.cpuSeconds, 0)
  const at = (quantile: number) => latencies[Math.floor(operations * quantile)] ?? 0
  return {
    kind,
    callers,
    opsPerSecond: Math.round(operations / seconds),
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
    cpuMicros: [...spent, load].map((second) => Math.round((second * 1e6) / operations)),
    fsyncsPerSecond: Math.round(((await cluster.counter('tricord_wal_fsyncs_total')) - fsyncsBefore) / seconds),
  }
}

function format(row: Row): string {
  const numbers = [row.p50, row.p95, row.p99].map((ms) => ms.toFixed(2).padStart(8)).join(' ')
  const head = `${row.kind.padEnd(5)} ${String(row.callers).padStart(7)} ${String(row.opsPerSecond).padStart(8)} ${numbers}`
  return `${head} ${String(row.fsyncsPerSecond).padStart(9)}  ${row.cpuMicros.join(' ')}`
}
