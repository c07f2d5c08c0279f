/** One acquire on a follower reads as one trace over three processes: decoded from what they exported, by a decoder of our own. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type OtlpSink, type Span, startOtlpSink } from './otlp.ts'
import { type NodeProcess, type ProcessCluster, call, startProcesses } from './processes.ts'

const CALLER = '00f067aa0ba902b7'
/** Who has no answer for so long asks again, and that is in its trace. */
const PATIENCE_MS = 1_000

let sink: OtlpSink
let cluster: ProcessCluster
beforeAll(async () => {
  sink = await startOtlpSink()
  const environment = { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_BSP_SCHEDULE_DELAY: '100' }
  cluster = await startProcesses({ environment, sets: ['cluster.partitions=4'] })
})
afterAll(async () => {
  await cluster.stop()
  await sink.close()
})

const named = (spans: readonly Span[], name: string): Span[] => spans.filter((span) => span.name === name)

/** On a follower, and nothing had to be asked again: on a busy machine not every one is such. */
async function tracedAcquire() {
  for (let nth = 1; ; nth++) {
    const trace = String(nth).padStart(32, 'e')
    const leader = await cluster.lockLeader()
    const follower = cluster.nodes.find((node) => node !== leader) as NodeProcess
    const began = performance.now()
    const wish = { owner: 'o' }
    const answer = await call(follower.url, 'POST', `/locks/traced-${nth}/acquire`, wish, { traceparent: `00-${trace}-${CALLER}-01` })
    const tookMs = performance.now() - began
    if (answer.status === 200 && tookMs < PATIENCE_MS && (await cluster.lockLeader()) === leader) return { trace, leader, follower }
  }
}

function countsOf(spans: readonly Span[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { name } of spans) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

test('an acquire on a follower is one trace: gateway, ask, forward, propose, log, replicate, commit, apply, reply', async () => {
  const { trace, leader, follower } = await tracedAcquire()
  const spans = (): Span[] => sink.spans.filter(({ traceId }) => traceId === trace)
  await expect
    .poll(() => countsOf(spans()))
    .toEqual({
      'POST /locks/:name/acquire': 1,
      'ask lock_acquire': 1,
      'raft.forward': 1,
      'raft.propose': 1,
      'raft.wal': 3,
      'raft.replicate': 2,
      'raft.commit': 3,
      'raft.apply': 3,
      'raft.reply': 1,
    })

  const [server] = named(spans(), 'POST /locks/:name/acquire')
  expect(server).toMatchObject({
    parentId: CALLER,
    instance: follower.id,
    attributes: { 'http.request.method': 'POST', 'http.response.status_code': 200 },
  })
  const [ask] = named(spans(), 'ask lock_acquire')
  expect(ask).toMatchObject({ parentId: server?.spanId, instance: follower.id, attributes: { 'tricord.outcome': 'granted' } })

  const below = spans().filter(({ name }) => name.startsWith('raft.'))
  expect(new Set(below.map(({ parentId }) => parentId))).toEqual(new Set([ask?.spanId]))
  for (const span of below) expect(span.attributes).toMatchObject({ 'tricord.group': 'locks', 'tricord.node': span.instance })
  expect(named(below, 'raft.forward')).toMatchObject([{ instance: follower.id, attributes: { 'tricord.to': leader.id } }])
  for (const name of ['raft.propose', 'raft.reply']) expect(named(below, name).map(({ instance }) => instance)).toEqual([leader.id])
  for (const name of ['raft.wal', 'raft.commit', 'raft.apply'])
    expect(
      named(below, name)
        .map(({ instance }) => instance)
        .sort(),
    ).toEqual(['n1', 'n2', 'n3'])
  const peers = named(below, 'raft.replicate')
  expect(peers.map(({ instance }) => instance)).toEqual([leader.id, leader.id])
  expect(new Set(peers.map(({ attributes }) => attributes['tricord.peer'])).size).toBe(2)
  const indexes = below.filter(({ name }) => name !== 'raft.forward').map(({ attributes }) => attributes['tricord.index'])
  expect(new Set(indexes).size).toBe(1)
  for (const { startNs, endNs } of spans()) expect(endNs >= startNs).toBe(true)
})

test('the spans of a dequeue and of its ack, of another trace on another node, link to that of the enqueue', async () => {
  const [producing, consuming] = ['c'.repeat(32), 'd'.repeat(32)]
  const [one, other] = cluster.nodes
  const traced = (trace: string) => ({ traceparent: `00-${trace}-${CALLER}-01` })
  const post = (url: string | undefined, verb: string, body: unknown, trace: string) =>
    call(url ?? '', 'POST', `/v1/queues/traced/${verb}`, body, traced(trace))
  await post(one?.url, 'enqueue', { data: 1 }, producing)
  const { body } = await post(other?.url, 'dequeue', { waitMs: 5_000 }, consuming)
  const [message] = body['messages'] as { id: string; token: number; traceparent: string }[]
  await post(other?.url, 'ack', { items: [{ id: message?.id, token: message?.token }] }, consuming)
  const span = (trace: string, verb: string) =>
    named(
      sink.spans.filter(({ traceId }) => traceId === trace),
      `POST /v1/queues/:queue/${verb}`,
    )[0]
  await expect.poll(() => [span(producing, 'enqueue'), span(consuming, 'ack')].every(Boolean), { timeout: 20_000 }).toBe(true)
  const enqueue = `${producing}-${span(producing, 'enqueue')?.spanId}`
  expect(message?.traceparent).toBe(`00-${enqueue}-01`)
  expect([span(consuming, 'dequeue')?.links, span(consuming, 'ack')?.links]).toEqual([[enqueue], [enqueue]])
})

test('a caller’s unsampled context exports nothing', async () => {
  const other = 'a'.repeat(32)
  await call(cluster.nodes[0]?.url ?? '', 'POST', '/locks/untraced/acquire', {}, { traceparent: `00-${other}-${CALLER}-00` })
  // Exported in order per process: once a later sampled one is here, an earlier one would be too.
  const later = 'b'.repeat(32)
  await call(cluster.nodes[0]?.url ?? '', 'GET', '/health', undefined, { traceparent: `00-${later}-${CALLER}-01` })
  await expect.poll(() => sink.spans.some(({ traceId }) => traceId === later), { timeout: 20_000 }).toBe(true)
  expect(sink.spans.filter(({ traceId }) => traceId === other)).toEqual([])
})
