/** A Prometheus histogram of durations that are counted elsewhere (`LatencyHistogram`): read at each scrape, never copied. */
import { Histogram, type Registry } from 'prom-client'
import { LATENCY_BOUNDS_MS, type LatencyCounts } from '../base/latency-histogram.ts'

export class LatencyMetric extends Histogram {
  readonly #title: { readonly name: string; readonly help: string }
  readonly #read: () => LatencyCounts

  /** In seconds. */
  constructor(registry: Registry, name: string, help: string, read: () => LatencyCounts) {
    super({ name, help, buckets: LATENCY_BOUNDS_MS.map((ms) => ms / 1_000), registers: [registry] })
    this.#title = { name, help }
    this.#read = read
  }

  /** What the registry asks of a metric; its own reads the samples that were observed here, and there are none. */
  getForPromString() {
    const { name, help } = this.#title
    const { counts, count, sumMs } = this.#read()
    const bucket = (le: number | string, value: number) => ({ metricName: `${name}_bucket`, labels: { le }, value })
    let below = 0
    const values = [
      ...LATENCY_BOUNDS_MS.map((bound, i) => bucket(bound / 1_000, (below += counts[i] ?? 0))),
      bucket('+Inf', count),
      { metricName: `${name}_sum`, labels: {}, value: sumMs / 1_000 },
      { metricName: `${name}_count`, labels: {}, value: count },
    ]
    return Promise.resolve({ name, help, type: 'histogram', aggregator: 'sum', values })
  }
}
