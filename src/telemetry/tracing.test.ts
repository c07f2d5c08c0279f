/** Spans as the exporter sees them. */
import { trace } from '@opentelemetry/api'
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node'
import { afterAll, expect, test } from 'vitest'
import { startRootSpan } from './tracing.ts'

const exporter = new InMemorySpanExporter()
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
trace.setGlobalTracerProvider(provider)
afterAll(() => provider.shutdown())

const traceOf = (flags: string) => `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-${flags}`

test('a span links to other traces, where those are sampled', async () => {
  const span = startRootSpan('consume', null, {})
  for (const other of [traceOf('01'), traceOf('00'), 'nonsense', '']) span?.link(other)
  span?.end()
  await provider.forceFlush()
  const [consume] = exporter.getFinishedSpans()
  expect(consume?.links.map(({ context }) => [context.traceId, context.spanId])).toEqual([
    ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'],
  ])
})
