/**
 * What tracing costs where nothing is sampled: clusters side by side, measured in turn, round by round, so that whatever else
 * the machine does hits all of them. The first two are the same, without the SDK: what lies between them is the noise. CPU per
 * operation says more than speed.
 */
import { type BenchCluster, startBenchCluster } from './cluster.ts'
import { type Row, measure } from './locks.ts'
import { describeMachine } from './machine.ts'

/** Nobody listens there: what is sampled is made, and then not delivered. */
const SDK = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' }
const VARIANTS: readonly (readonly [name: string, environment: Readonly<Record<string, string>>])[] = [
  ['without the SDK', {}],
  ['without it again', {}],
  ['always_off', { ...SDK, OTEL_TRACES_SAMPLER: 'always_off' }],
  ['default (1 %)', SDK],
]
const LOADS = [
  ['http', 64],
  ['ws', 512],
] as const

const sorted = (values: readonly number[]): readonly number[] => values.toSorted((a, b) => a - b)
const at = (values: readonly number[], quantile: number): number => sorted(values)[Math.floor(values.length * quantile)] ?? 0
/** Of the three nodes together. */
const nodeMicros = ({ cpuMicros: [, n1 = 0, n2 = 0, n3 = 0] }: Row): number => n1 + n2 + n3

export async function benchTracing(options: ReadonlyMap<string, string>): Promise<void> {
  const rounds = Number(options.get('rounds') ?? 15)
  const seconds = Number(options.get('seconds') ?? 2)
  process.stdout.write(
    `${describeMachine()}\n${rounds} rounds of ${seconds} s each, the clusters in turn; ratios are of the same round\n\n`,
  )
  const clusters: BenchCluster[] = []
  try {
    for (const [, environment] of VARIANTS) clusters.push(await startBenchCluster({ environment }))
    for (const [which, [kind, callers]] of LOADS.entries()) {
      const rows: Row[][] = clusters.map(() => [])
      for (let round = 0; round <= rounds; round++) {
        // Each in turn is the first of its round.
        for (const offset of clusters.keys()) {
          const index = (round + offset) % clusters.length
          const row = await measure(clusters[index] as BenchCluster, kind, callers, seconds, (which * 2 + index) * 1_000 + round)
          // The first round is for the compiler.
          if (round > 0) rows[index]?.push(row)
        }
      }
      report(`${kind}, ${callers} callers`, rows)
    }
  } finally {
    await Promise.all(clusters.map((cluster) => cluster.stop()))
  }
}

function report(load: string, rows: readonly (readonly Row[])[]): void {
  process.stdout.write(`${load.padEnd(20)}  CPU us/op of the nodes   ratio (quartiles)          ops/s   ratio (quartiles)\n`)
  const [first = []] = rows
  for (const [index, [name]] of VARIANTS.entries()) {
    const own = rows[index] ?? []
    const cpu = own.map(nodeMicros)
    const speed = own.map(({ opsPerSecond }) => opsPerSecond)
    const cpuRatios = cpu.map((micros, round) => micros / nodeMicros(first[round] as Row))
    const speedRatios = speed.map((ops, round) => ops / (first[round]?.opsPerSecond ?? 0))
    const left = `${name.padEnd(20)}  ${at(cpu, 0.5).toFixed(0).padStart(22)}   ${spread(cpuRatios)}`
    process.stdout.write(`${left}  ${String(at(speed, 0.5)).padStart(9)}   ${spread(speedRatios)}\n`)
  }
  process.stdout.write('\n')
}

function spread(ratios: readonly number[]): string {
  const [low, middle, high] = [0.25, 0.5, 0.75].map((quantile) => at(ratios, quantile).toFixed(3))
  return `${middle} (${low} to ${high})`
}
