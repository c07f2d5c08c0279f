import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-node'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { ManualClock } from '../../test/manual-clock.ts'
import { startTelemetry } from './sdk.ts'
import { startRootSpan } from './tracing.ts'

const ENVIRONMENT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_TRACES_SAMPLER: 'always_on' }

function start(answer: (done: (result: ExportResult) => void) => void) {
  const clock = new ManualClock()
  const warnings: string[] = []
  const ended: ReadableSpan[] = []
  const exporter: SpanExporter = {
    export(spans, done) {
      ended.push(...spans)
      answer(done)
    },
    shutdown: () => Promise.resolve(),
  }
  const options = {
    node: 'n1',
    version: '1',
    clock,
    random: () => 0,
    exporter,
    onWarning: (message: string) => void warnings.push(message),
  }
  return { clock, warnings, ended, telemetry: startTelemetry(ENVIRONMENT, options) ?? expect.fail('an endpoint is given') }
}

describe('the end of a process that traced', () => {
  test('what is buffered is exported', async () => {
    const { telemetry, ended, warnings } = start((done) => done({ code: ExportResultCode.SUCCESS }))
    startRootSpan('a', null, {})?.end()
    await telemetry.shutdown()
    expect([ended.map(({ name }) => name), warnings]).toEqual([['a'], []])
  })

  test('a collector that refuses, or is not there, is said and changes nothing', async () => {
    const { telemetry, warnings } = start((done) => done({ code: ExportResultCode.FAILED, error: new Error('nobody there') }))
    startRootSpan('a', null, {})?.end()
    await telemetry.shutdown()
    expect(warnings).toEqual(['the last traces were not exported: nobody there'])
  })

  test('one that never answers is waited for two seconds', async () => {
    const { telemetry, warnings, clock } = start(() => undefined)
    startRootSpan('a', null, {})?.end()
    let over = false
    void telemetry.shutdown().then(() => (over = true))
    await clock.pass(1_900)
    expect(over).toBe(false)
    await clock.pass(200)
    expect([over, warnings]).toEqual([true, ['the last traces were not exported: no answer for 2000 ms']])
  })
})

describe('the resource', () => {
  afterEach(() => vi.unstubAllEnvs())
  const resourceOf = async () => {
    const { telemetry, ended } = start((done) => done({ code: ExportResultCode.SUCCESS }))
    startRootSpan('a', null, {})?.end()
    await telemetry.shutdown()
    return ended[0]?.resource.attributes
  }

  test('is tricord and the node, unless the standard variables say otherwise', async () => {
    expect(await resourceOf()).toMatchObject({ 'service.name': 'tricord', 'service.instance.id': 'n1' })
    vi.stubEnv('OTEL_RESOURCE_ATTRIBUTES', 'service.name=from-attributes,zone=a')
    expect(await resourceOf()).toMatchObject({ 'service.name': 'from-attributes', zone: 'a', 'service.instance.id': 'n1' })
    vi.stubEnv('OTEL_SERVICE_NAME', 'from-name')
    expect(await resourceOf()).toMatchObject({ 'service.name': 'from-name', zone: 'a' })
  })
})
