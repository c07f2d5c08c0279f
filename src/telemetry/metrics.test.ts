import { expect, test } from 'vitest'
import { LatencyHistogram } from '../base/latency-histogram.ts'
import type { CacheReading } from './cache-metrics.ts'
import { type NodeReadings, createNodeMetrics } from './metrics.ts'

type Group = ReturnType<NodeReadings['groups']>[number]

const host = (): ReturnType<NodeReadings['host']> => ({
  elections: 3,
  proposals: 0,
  idempotencyKeys: () => ({ count: 3, bytes: 1_000, evicted: 2 }),
  commandsApplied: 0,
  snapshotsSent: 0,
  snapshotsReceived: 0,
  walFsyncs: 0,
  walBytes: 0,
  walSegments: 1,
  walQueuedBytes: 0,
  diskRoom: 'low',
  commitLatencies: new LatencyHistogram(),
  fsyncDurations: new LatencyHistogram(),
})
const group = (name: string, role: string): Group => ({ name, status: { role, term: 4, commit: 9, applied: 8 } as Group['status'] })

const caches: CacheReading = {
  lines: { S: 3 },
  bytes: 960,
  evictedLines: 0,
  hits: 7,
  misses: 4,
  falseInvalidations: 1,
  sessionBreaks: 0,
  homes: 2,
  silentHomes: 1,
  trackedLines: 3,
  pingPongLines: 0,
  borrowers: 1,
  lentLines: 3,
  overdueBorrowers: 1,
  watches: 2,
  messages: { getS: 4, inv: 1 },
  entries: 3,
  entryBytes: 30,
  evictions: 0,
  lostWrites: 0,
  gateWaits: new LatencyHistogram(),
}

function readings(over: Partial<NodeReadings>): NodeReadings {
  const none = { envelopesIn: 0, envelopesOut: 0, framesIn: 0, framesOut: 0, deadLetters: {}, mailboxes: {} }
  return {
    host,
    groups: () => [],
    system: () => none,
    locks: () => ({ grants: 0, locks: 0, waiters: 0, sessions: 0 }),
    queues: () => [],
    caches: () => caches,
    freeDiskBytes: () => Promise.resolve(1),
    eventLoop: () => null,
    ...over,
  }
}

test('caches: what is held, read and said', async () => {
  const text = await createNodeMetrics('n1', readings({}), 10).text()
  for (const line of [
    'tricord_cache_lines{state="S",node="n1"} 3',
    'tricord_cache_reads_total{result="hit",node="n1"} 7',
    'tricord_cache_homes{state="open",node="n1"} 1',
    'tricord_cache_homes{state="silent",node="n1"} 1',
    'tricord_cache_messages_total{type="inv",node="n1"} 1',
    'tricord_cache_entries{node="n1"} 3',
    'tricord_cache_gate_wait_seconds_count{node="n1"} 0',
  ])
    expect(text).toContain(line)
})

test('a group that is not here any more is not told of any more', async () => {
  let groups = [group('locks', 'leader'), group('p0', 'leader')]
  const metrics = createNodeMetrics('n1', readings({ groups: () => groups }), 10)
  expect(await metrics.text()).toContain('tricord_raft_is_leader{group="p0",node="n1"} 1')
  groups = [group('locks', 'follower')]
  const text = await metrics.text()
  expect(text).toContain('tricord_raft_is_leader{group="locks",node="n1"} 0')
  expect(text).not.toContain('group="p0"')
})

test('counters follow what they are read from; every latency is counted, once, however seldom somebody scrapes', async () => {
  const commitLatencies = new LatencyHistogram()
  const metrics = createNodeMetrics('n1', readings({ host: () => ({ ...host(), commitLatencies }) }), 10)
  for (let i = 0; i < 30_000; i++) commitLatencies.observe(i % 3 === 0 ? 0.7 : 4)
  commitLatencies.observe(60_000)
  await metrics.text()
  const text = await metrics.text()
  expect(text).toContain('leader_elections_total{node="n1"} 3')
  expect(text).toContain('# TYPE consensus_commit_latency_seconds histogram')
  const series = text.split('\n').filter((line) => line.startsWith('consensus_commit_latency_seconds'))
  const bucket = (le: string, value: number) => `consensus_commit_latency_seconds_bucket{le="${le}",node="n1"} ${value}`
  expect(series).toHaveLength(17)
  expect(series[0]).toBe(bucket('0.0005', 0))
  expect(series).toContain(bucket('0.001', 10_000))
  expect(series).toContain(bucket('0.003', 10_000))
  expect(series).toContain(bucket('0.005', 30_000))
  expect(series).toContain(bucket('5', 30_000))
  expect(series).toContain(bucket('+Inf', 30_001))
  expect(series).toContain('consensus_commit_latency_seconds_count{node="n1"} 30001')
  expect(Number(series.find((line) => line.includes('_sum'))?.split(' ')[1])).toBeCloseTo(7 + 80 + 60)
  expect(text).toContain('tricord_disk_low{node="n1"} 1')
  expect(text).toContain('tricord_idempotency_keys_evicted_total{node="n1"} 2')
})

test('a disk that does not tell its free bytes is no reason to tell nothing', async () => {
  const metrics = createNodeMetrics('n1', readings({ freeDiskBytes: () => Promise.reject(new Error('EIO')) }), 10)
  const text = await metrics.text()
  expect(text).toContain('tricord_disk_free_bytes{node="n1"} Nan')
  expect(text).toContain('leader_elections_total{node="n1"} 3')
})
