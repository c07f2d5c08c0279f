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

const gateWaits = new LatencyHistogram()
/** No number twice. */
const caches: CacheReading = {
  lines: { M: 1, E: 2, S: 3 },
  bytes: 960,
  evictedLines: 4,
  hits: 5,
  misses: 6,
  falseInvalidations: 7,
  sessionBreaks: 8,
  homes: 19,
  silentHomes: 9,
  trackedLines: 11,
  pingPongLines: 12,
  borrowers: 13,
  lentLines: 14,
  overdueBorrowers: 15,
  watches: 16,
  messages: { getS: 17, inv: 18 },
  entries: 20,
  entryBytes: 21,
  evictions: 22,
  replicaBytes: 25,
  replicaBytesMax: 26,
  lostWrites: 23,
  gateWaits,
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
  const metrics = createNodeMetrics('n1', readings({}), 10)
  gateWaits.observe(24_000)
  await metrics.text()
  const series = (await metrics.text()).split('\n').filter((line) => line.startsWith('tricord_cache_') && !line.includes('_bucket'))
  expect(
    series.map((line) =>
      line
        .replace(/,?node="n1"/, '')
        .replace('{}', '')
        .slice('tricord_cache_'.length),
    ),
  ).toEqual([
    'lines{state="M"} 1',
    'lines{state="E"} 2',
    'lines{state="S"} 3',
    'line_bytes 960',
    'lines_evicted_total 4',
    'reads_total{result="hit"} 5',
    'reads_total{result="miss"} 6',
    'false_invalidations_total 7',
    'session_breaks_total 8',
    'homes{state="open"} 10',
    'homes{state="silent"} 9',
    'tracked_lines 11',
    'ping_pong_lines 12',
    'watches 16',
    'messages_total{type="getS"} 17',
    'messages_total{type="inv"} 18',
    'entries 20',
    'entry_bytes 21',
    'replica_bytes 25',
    'replica_bytes_max 26',
    'writeback_lost_total 23',
    'borrowers 13',
    'lent_lines 14',
    'overdue_borrowers_total 15',
    'evictions 22',
    'gate_wait_seconds_sum 24',
    'gate_wait_seconds_count 1',
  ])
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
