/** SIGTERM at awkward moments: the process ends with 0, and soon. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ProcessCluster, call, startProcesses } from './processes.ts'

const CALLER = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

let cluster: ProcessCluster
beforeAll(async () => {
  // Nobody listens on the discard port.
  const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' }
  cluster = await startProcesses({ count: 1, environment, sets: ['cluster.partitions=1', 'log.level=info'] })
})
afterAll(() => cluster.stop())

test('with traces that nobody takes', async () => {
  const node = cluster.node('n1')
  expect(await call(node.url, 'POST', '/locks/traced/acquire', { owner: 'o' }, { traceparent: CALLER })).toMatchObject({ status: 200 })
  expect(await node.kill('SIGTERM')).toBe(0)
  expect(node.stderr).toContain('the last traces were not exported')
})

test('while the other founders are waited for', async () => {
  const lonely = cluster.another('m1', ['--set', 'cluster.peers=m1,m2'])
  const ended = lonely.launch()
  await expect.poll(() => lonely.stderr, { timeout: 20_000 }).toContain('waiting for m2')
  await lonely.kill('SIGTERM')
  expect(await ended).toMatchObject({ code: 0, signal: null })
})
