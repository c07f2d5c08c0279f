/** The gateway's Prometheus metrics: what its callers saw. The node's own come from `telemetry/metrics.ts`. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { ActorSystemStats } from '../actors/actor.ts'
import { systemSeries } from '../telemetry/series.ts'

const LATENCY_BUCKETS = [0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60]

/** What subscriptions of caches count. */
export interface WatchMetrics {
  readonly cacheSubscriptions: Pick<Gauge, 'inc' | 'dec'>
  readonly cacheEvents: Pick<Counter, 'inc'>
}

export class GatewayMetrics implements WatchMetrics {
  readonly #registry = new Registry()
  readonly #collect: () => void = () => undefined
  readonly acquisitions: Counter
  readonly acquisitionSeconds: Histogram
  readonly requests: Counter
  readonly requestSeconds: Histogram
  readonly sockets: Gauge
  readonly socketFrames: Counter
  readonly cacheSubscriptions: Gauge
  readonly cacheEvents: Counter

  /** `systemStats`: of the actor system that is the gateway's own; null where it shares the node's. */
  constructor(node: string, systemStats: (() => ActorSystemStats) | null) {
    this.#registry.setDefaultLabels({ node })
    const registers = [this.#registry]
    if (systemStats) {
      const tell = systemSeries(this.#registry, 'tricord_gateway', ' on the gateway’s thread')
      this.#collect = () => tell(systemStats())
    }
    this.acquisitions = new Counter({
      name: 'lock_acquisitions_total',
      help: 'Lock acquisitions by outcome (acquired, or the code of the refusal)',
      labelNames: ['outcome'],
      registers,
    })
    this.acquisitionSeconds = new Histogram({
      name: 'lock_acquisition_duration_seconds',
      help: 'From the request to the grant, waiting included',
      buckets: LATENCY_BUCKETS,
      registers,
    })
    this.requests = new Counter({ name: 'http_requests_total', help: 'HTTP requests', labelNames: ['method', 'status'], registers })
    this.requestSeconds = new Histogram({
      name: 'http_request_duration_seconds',
      help: 'HTTP requests',
      buckets: LATENCY_BUCKETS,
      registers,
    })
    this.sockets = new Gauge({ name: 'websocket_connections', help: 'Open WebSocket connections', registers })
    this.socketFrames = new Counter({ name: 'websocket_frames_total', help: 'WebSocket frames', labelNames: ['direction'], registers })
    this.cacheSubscriptions = new Gauge({ name: 'cache_subscriptions', help: 'Subscriptions to the changes of caches', registers })
    this.cacheEvents = new Counter({
      name: 'cache_subscription_events_total',
      help: 'What these subscriptions were told: invalidate, or reset',
      labelNames: ['event'],
      registers,
    })
  }

  text(): Promise<string> {
    this.#collect()
    return this.#registry.metrics()
  }

  acquired(outcome: string, seconds: number): void {
    this.acquisitions.inc({ outcome })
    if (outcome === 'acquired') this.acquisitionSeconds.observe(seconds)
  }
}
