import { ExportResultCode } from '@opentelemetry/core'
import { type ReadableSpan, type SpanExporter } from '@opentelemetry/sdk-trace-node'
import { afterEach, describe, expect, test } from 'vitest'
import { ManualClock } from '../../test/manual-clock.ts'
import { samplingOf } from './sampling.ts'
import { type Telemetry, startTelemetry } from './sdk.ts'
import { isSampled, startRootSpan, startSpan } from './tracing.ts'

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' }
const [TRACE, CALLER] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7']
const SAMPLED = `00-${TRACE}-${CALLER}-01`
const UNSAMPLED = `00-${TRACE}-${CALLER}-00`

describe('the variables', () => {
  const of = (name?: string, argument?: string) => samplingOf({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: argument })
  test.each([
    [undefined, undefined, 0.01, 'ParentBased'],
    [undefined, '0.5', 0.5, 'ParentBased'],
    ['parentbased_traceidratio', '0.25', 0.25, 'ParentBased'],
    ['parentbased_traceidratio', '0', 0, 'ParentBased'],
    ['parentbased_always_on', undefined, 1, 'ParentBased'],
    ['parentbased_always_off', undefined, 0, 'ParentBased'],
    ['traceidratio', '0.5', 1, 'TraceIdRatioBased{0.5}'],
    ['always_on', undefined, 1, 'AlwaysOnSampler'],
    ['always_off', undefined, 0, 'AlwaysOffSampler'],
  ])('%s %s: draws %d, then %s', (name, argument, rootRatio, sampler) => {
    const sampling = of(name, argument)
    expect(sampling).toMatchObject({ rootRatio, problem: null })
    expect(String(sampling.sampler)).toContain(sampler)
  })
  test.each([
    ['parentbased_traceidratio', '2'],
    ['parentbased_traceidratio', 'half'],
    ['no_such_sampler', undefined],
  ])('%s %s: said, and one in a hundred is kept', (name, argument) => {
    const { rootRatio, problem } = of(name, argument)
    expect(rootRatio).toBe(0.01)
    expect(problem).toContain(argument ?? name)
  })
})

describe('spans', () => {
  let telemetry: Telemetry | null = null
  afterEach(async () => {
    await telemetry?.shutdown()
    telemetry = null
  })

  /** Draws come from the list, one per trace that begins. */
  function start(environment: Readonly<Record<string, string>>, draws: number[]): ReadableSpan[] {
    const ended: ReadableSpan[] = []
    const exporter: SpanExporter = {
      export(spans, done) {
        ended.push(...spans)
        done({ code: ExportResultCode.SUCCESS })
      },
      shutdown: () => Promise.resolve(),
    }
    const draw = (): number => draws.shift() ?? expect.fail('nothing was to be drawn')
    telemetry = startTelemetry(
      { ...ENDPOINT, ...environment },
      { node: 'n1', version: '1', clock: new ManualClock(), random: draw, exporter },
    )
    return ended
  }

  test('what is not drawn makes no span; what is drawn is kept with all below it', async () => {
    const ended = start({}, [0.01, 0.5, 0.0099])
    expect(startRootSpan('a', null, {})).toBeNull()
    expect(startRootSpan('b', null, {})).toBeNull()
    const kept = startRootSpan('c', null, {})
    expect(isSampled(kept?.traceparent ?? '')).toBe(true)
    startSpan('below', kept?.traceparent ?? '', 'internal', {})?.end()
    kept?.end()
    await telemetry?.shutdown()
    expect(ended.map(({ name }) => name)).toEqual(['below', 'c'])
  })

  test('a caller’s word counts, not a draw', () => {
    start({}, [])
    expect(startRootSpan('a', SAMPLED, {})?.traceparent).toMatch(new RegExp(`^00-${TRACE}-`))
    expect(startRootSpan('a', UNSAMPLED, {})).toBeNull()
  })

  test('a malformed traceparent is no caller: a draw', () => {
    start({}, [0, 0.5])
    expect(startRootSpan('a', 'nonsense', {})).not.toBeNull()
    expect(startRootSpan('a', 'nonsense', {})).toBeNull()
  })

  test('ratio 0 keeps nothing, ratio 1 everything, without asking chance', () => {
    start({ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' }, [])
    expect(startRootSpan('a', null, {})).toBeNull()
    expect(startRootSpan('a', SAMPLED, {})).not.toBeNull()
  })

  test('always_off does not follow the caller either; parentbased_always_off does', async () => {
    start({ OTEL_TRACES_SAMPLER: 'always_off' }, [])
    expect([startRootSpan('a', null, {}), startRootSpan('a', SAMPLED, {})]).toEqual([null, null])
    await telemetry?.shutdown()
    start({ OTEL_TRACES_SAMPLER: 'parentbased_always_off' }, [])
    expect(startRootSpan('a', null, {})).toBeNull()
    expect(startRootSpan('a', SAMPLED, {})).not.toBeNull()
  })

  test('after it was shut down, the next one begins anew', async () => {
    start({}, [0.5])
    expect(startRootSpan('a', null, {})).toBeNull()
    await telemetry?.shutdown()
    expect(startRootSpan('a', null, {})).toBeNull()
    start({ OTEL_TRACES_SAMPLER: 'always_on' }, [])
    expect(startRootSpan('a', null, {})).not.toBeNull()
  })
})
