/**
 * The OpenTelemetry SDK, set up in this one file; the rest of the code sees `@opentelemetry/api` alone, and that only
 * through `tracing.ts`. Configured by the standard variables (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER,
 * OTEL_TRACES_SAMPLER_ARG, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_SDK_DISABLED …).
 *
 * Without an endpoint nothing is set up and a span costs one check. With one, new traces are sampled at 1 % unless
 * OTEL_TRACES_SAMPLER says otherwise; a caller's own sampled `traceparent` is always followed.
 */
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { context, propagation, trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, NodeTracerProvider, type SpanExporter } from '@opentelemetry/sdk-trace-node'
import type { Millis } from '../base/ids.ts'
import type { Clock } from '../io/clock.ts'
import { samplingOf } from './sampling.ts'
import { setRootDraw } from './tracing.ts'

/** How long what is still buffered may take on its way out: a collector that is away must not hold up a stop. */
const SHUTDOWN_MS: Millis = 2_000

export interface Telemetry {
  /** Exports what is buffered, where somebody takes it; call before the process ends. Never rejects. */
  shutdown(): Promise<void>
}

export interface TelemetryOptions {
  /** The node's id. */
  readonly node: string
  readonly version: string
  readonly clock: Clock
  /** Uniform in [0, 1): decides which traces are kept. */
  readonly random: () => number
  /** Told of variables that cannot be meant, and of spans that are lost at the end. */
  readonly onWarning?: (message: string) => void
  /** Instead of OTLP over HTTP. */
  readonly exporter?: SpanExporter
}

type Environment = Readonly<Record<string, string | undefined>>

/** Whether the standard variables ask for traces. */
export function tracingWanted(environment: Environment): boolean {
  if (environment['OTEL_SDK_DISABLED'] === 'true' || environment['OTEL_TRACES_EXPORTER'] === 'none') return false
  return Boolean(environment['OTEL_EXPORTER_OTLP_ENDPOINT'] || environment['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'])
}

export function startTelemetry(environment: Environment, options: TelemetryOptions): Telemetry | null {
  if (!tracingWanted(environment)) return null
  const own = resourceFromAttributes({
    'service.name': 'tricord',
    'service.instance.id': options.node,
    'service.version': options.version,
  })
  const resource = defaultResource()
    .merge(own)
    .merge(detectResources({ detectors: [envDetector] }))
  const { rootRatio, sampler, problem } = samplingOf(environment)
  if (problem !== null) options.onWarning?.(problem)
  const processor = new BatchSpanProcessor(options.exporter ?? new OTLPTraceExporter())
  const provider = new NodeTracerProvider({ resource, sampler, spanProcessors: [processor] })
  provider.register({ propagator: new W3CTraceContextPropagator() })
  if (rootRatio < 1) setRootDraw(rootRatio === 0 ? () => false : () => options.random() < rootRatio)
  return {
    async shutdown() {
      setRootDraw(() => true)
      await exported(provider.shutdown(), options)
      trace.disable()
      context.disable()
      propagation.disable()
    },
  }
}

/** Resolves at the end of `work`, whatever it is, or after a while. */
function exported(work: Promise<void>, { clock, onWarning }: TelemetryOptions): Promise<void> {
  return new Promise((resolve) => {
    const end = (why: string | null): void => {
      timer.cancel()
      if (why !== null) onWarning?.(`the last traces were not exported: ${why}`)
      resolve()
    }
    const timer = clock.after(SHUTDOWN_MS, () => end(`no answer for ${SHUTDOWN_MS} ms`))
    work.then(
      () => end(null),
      (error: unknown) => end(error instanceof Error ? error.message : String(error)),
    )
  })
}
