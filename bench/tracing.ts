/**
 * What tracing costs where nothing is sampled: two clusters side by side, one without the SDK, one with it and its sampler
 * always off, measured in turn so that whatever else the machine does hits both. CPU per operation says more than speed.
 */
import { startBenchCluster } from './cluster.ts'
import { type Row, measure } from './locks.ts'
import { describeMachine } from './machine.ts'

/** Nobody listens there, and nothing is sent. */
const UNSAMPLED = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_TRACES_SAMPLER: 'always_off' }
const LOADS = [
  ['http', 64],
  ['ws', 512],
] as const

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
/** Of the three nodes together. */
const nodeMicros = ({ cpuMicros: [, n1 = 0, n2 = 0, n3 = 0] }: Row): number => n1 + n2 + n3

export async function benchTracing(options: ReadonlyMap<string, string>): Promise<void> {
  const rounds = Number(options.get('rounds') ?? 9)
  const seconds = Number(options.get('seconds') ?? 3)
  process.stdout.write(`${describeMachine()}\n${rounds} rounds of ${seconds} s each, without the SDK and with it unsampled in turn\n\n`)
  const clusters = [await startBenchCluster(), await startBenchCluster({ environment: UNSAMPLED })]
  try {
    process.stdout.write('kind callers   CPU us/op of the nodes: without  with  ratio   ops/s: without    with  ratio\n')
    for (const [at, [kind, callers]] of LOADS.entries()) {
      const rows: Row[][] = [[], []]
      for (let round = 0; round <= rounds; round++) {
        for (const [which, cluster] of clusters.entries()) {
          const row = await measure(cluster, kind, callers, seconds, (at * 2 + which) * 1_000 + round)
          // The first is for the compiler.
          if (round > 0) rows[which]?.push(row)
        }
      }
      const [without = 0, withIt = 0] = rows.map((list) => median(list.map(nodeMicros)))
      const [slow = 0, fast = 0] = rows.map((list) => median(list.map(({ opsPerSecond }) => opsPerSecond)))
      const cpu = `${without.toFixed(0).padStart(8)} ${withIt.toFixed(0).padStart(5)} ${(withIt / without).toFixed(3).padStart(6)}`
      const speed = `${String(slow).padStart(8)} ${String(fast).padStart(7)} ${(fast / slow).toFixed(3).padStart(6)}`
      process.stdout.write(`${kind.padEnd(4)} ${String(callers).padStart(7)} ${' '.repeat(23)}${cpu}          ${speed}\n`)
    }
  } finally {
    await Promise.all(clusters.map((cluster) => cluster.stop()))
  }
}
