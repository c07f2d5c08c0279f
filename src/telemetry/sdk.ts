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
import { BatchSpanProcessor, NodeTracerProvider, ParentBasedSampler, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace-node'

const DEFAULT_RATIO = 0.01

export interface Telemetry {
  /** Exports what is buffered; call before the process ends. */
  shutdown(): Promise<void>
}

type Environment = Readonly<Record<string, string | undefined>>

/** Whether the standard variables ask for traces. */
export function tracingWanted(environment: Environment): boolean {
  if (environment['OTEL_SDK_DISABLED'] === 'true' || environment['OTEL_TRACES_EXPORTER'] === 'none') return false
  return Boolean(environment['OTEL_EXPORTER_OTLP_ENDPOINT'] || environment['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'])
}

export function startTelemetry(environment: Environment, node: string, version: string): Telemetry | null {
  if (!tracingWanted(environment)) return null
  const own = resourceFromAttributes({
    'service.name': environment['OTEL_SERVICE_NAME'] ?? 'tricord',
    'service.instance.id': node,
    'service.version': version,
  })
  const resource = defaultResource()
    .merge(detectResources({ detectors: [envDetector] }))
    .merge(own)
  // OTEL_TRACES_SAMPLER is read by the provider itself when no sampler is given.
  const sampler = environment['OTEL_TRACES_SAMPLER']
    ? {}
    : { sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(DEFAULT_RATIO) }) }
  const provider = new NodeTracerProvider({ resource, ...sampler, spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] })
  provider.register({ propagator: new W3CTraceContextPropagator() })
  return {
    async shutdown() {
      await provider.forceFlush()
      await provider.shutdown()
      trace.disable()
      context.disable()
      propagation.disable()
    },
  }
}
