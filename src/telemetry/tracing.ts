/**
 * Spans, over the OpenTelemetry API. A context travels as its W3C `traceparent` text, and only when it is sampled:
 * so "is this traced?" is "is the text not empty?", and an untraced request costs that one comparison, after the one
 * draw at its beginning (`sampling.ts`).
 */
import {
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  isSpanContextValid,
  trace,
} from '@opentelemetry/api'

export type Attributes = Readonly<Record<string, string | number | boolean>>

/** A running span. `traceparent` names it as the parent of what it causes. */
export interface ActiveSpan {
  readonly traceparent: string
  rename(name: string): void
  /** Links to another trace that has a part in this: ignored where that one is not sampled. */
  link(traceparent: string): void
  /** Ends now, or at `endMs` (wall clock). An `error` marks it failed. */
  end(attributes?: Attributes, error?: string, endMs?: number): void
}

export type SpanKindName = 'internal' | 'server' | 'client' | 'producer' | 'consumer'

const KINDS: Record<SpanKindName, SpanKind> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
}

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/

/** The context a `traceparent` names, or null where it is malformed (W3C Trace Context 1, section 2.2: then ignore it). */
export function parseTraceparent(text: string): SpanContext | null {
  const match = TRACEPARENT.exec(text)
  if (!match) return null
  const found: SpanContext = {
    traceId: match[1] ?? '',
    spanId: match[2] ?? '',
    traceFlags: Number.parseInt(match[3] ?? '0', 16),
    isRemote: true,
  }
  return isSpanContextValid(found) ? found : null
}

export function isSampled(traceparent: string): boolean {
  const parsed = parseTraceparent(traceparent)
  return parsed !== null && (parsed.traceFlags & TraceFlags.SAMPLED) !== 0
}

function formatTraceparent(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext()
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
}

const tracer = () => trace.getTracer('tricord')

/** Whether to keep a trace that begins here: the SDK's draw, where there is one. As global as the API's tracer. */
let drawRoot: () => boolean = () => true

export function setRootDraw(draw: () => boolean): void {
  drawRoot = draw
}

/** Starts a child of `parent` at `startMs` (wall clock) or now; null where the parent is not sampled. */
export function startSpan(name: string, parent: string, kind: SpanKindName, attributes: Attributes, startMs?: number): ActiveSpan | null {
  if (parent === '') return null
  const parsed = parseTraceparent(parent)
  return parsed && (parsed.traceFlags & TraceFlags.SAMPLED) !== 0 ? open(name, parsed, kind, attributes, startMs) : null
}

/** Starts a request's first span here: a child of the caller's context, or a new trace that the sampler decides on. */
export function startRootSpan(name: string, traceparent: string | null, attributes: Attributes): ActiveSpan | null {
  const parsed = traceparent === null ? null : parseTraceparent(traceparent)
  if (parsed ? (parsed.traceFlags & TraceFlags.SAMPLED) === 0 : !drawRoot()) return null
  return open(name, parsed, 'server', attributes)
}

/** A span that is over already: its times are known. */
export function recordSpan(
  name: string,
  parent: string,
  kind: SpanKindName,
  attributes: Attributes,
  startMs: number,
  endMs: number,
): string {
  const span = startSpan(name, parent, kind, attributes, startMs)
  span?.end(undefined, undefined, endMs)
  return span?.traceparent ?? ''
}

function open(name: string, parent: SpanContext | null, kind: SpanKindName, attributes: Attributes, startMs?: number): ActiveSpan | null {
  const context = parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT
  const started = startMs === undefined ? {} : { startTime: startMs }
  const span = tracer().startSpan(name, { kind: KINDS[kind], attributes: { ...attributes }, ...started }, context)
  if (!span.isRecording()) return null
  return {
    traceparent: formatTraceparent(span),
    rename: (better) => void span.updateName(better),
    link(other) {
      const context = parseTraceparent(other)
      if (context && (context.traceFlags & TraceFlags.SAMPLED) !== 0) span.addLink({ context })
    },
    end(more, error, endMs) {
      if (more) span.setAttributes({ ...more })
      if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error })
      span.end(endMs)
    },
  }
}
