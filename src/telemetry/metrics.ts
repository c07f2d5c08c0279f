/**
 * The node's Prometheus metrics. Hot paths count into plain numbers (HostStats, ActorSystemStats); this file reads them
 * when somebody scrapes. Names are the requirements' where they gave one.
 */
import { Registry } from 'prom-client'
import type { ActorSystemStats } from '../actors/actor.ts'
import type { LatencyCounts } from '../base/latency-histogram.ts'
import type { GroupStatus, HostStats } from '../raft/group-host.ts'
import { type CacheReading, cacheMetrics } from './cache-metrics.ts'
import { LatencyMetric } from './latency-metric.ts'
import { type QueueReading, queueMetrics } from './queue-metrics.ts'
import { following, gauge, systemSeries } from './series.ts'

export interface NodeReadings {
  host(): HostStats
  groups(): readonly { readonly name: string; readonly status: GroupStatus }[]
  system(): ActorSystemStats
  locks(): { readonly grants: number; readonly locks: number; readonly waiters: number; readonly sessions: number }
  /** Of each partition that this node leads. */
  queues(): readonly QueueReading[]
  caches(): CacheReading
  freeDiskBytes(): Promise<number>
  /** Delay of the event loop since the last reading, seconds: p50, p99, max; null where nothing measures it. */
  eventLoop(): { readonly p50: number; readonly p99: number; readonly max: number } | null
}

export interface NodeMetrics {
  text(): Promise<string>
}

export function createNodeMetrics(node: string, readings: NodeReadings, queuesMax: number): NodeMetrics {
  const registry = new Registry()
  registry.setDefaultLabels({ node })
  const collect = [
    hostMetrics(registry, readings),
    systemMetrics(registry, readings),
    machineMetrics(registry, readings),
    cacheMetrics(registry, () => readings.caches()),
  ]
  const queues = queueMetrics(registry, () => readings.queues(), queuesMax)
  return {
    async text() {
      for (const run of collect) await run()
      queues()
      return registry.metrics()
    },
  }
}

type Collect = () => void | Promise<void>

function hostMetrics(registry: Registry, readings: NodeReadings): Collect {
  const elections = following(registry, 'leader_elections_total', 'Elections this node won, over all groups')
  const proposals = following(registry, 'tricord_proposals_total', 'Commands taken into the log by this node as leader')
  const applied = following(registry, 'tricord_commands_applied_total', 'Commands applied by this node, over all groups')
  const keys = gauge(registry, 'tricord_idempotency_keys', 'Idempotency keys with their answers, over all groups of this node')
  const keyBytes = gauge(registry, 'tricord_idempotency_key_bytes', 'About what they take; 128 MiB of a group are kept')
  const evicted = following(
    registry,
    'tricord_idempotency_keys_evicted_total',
    'Idempotency keys forgotten before their ten minutes, for want of room',
  )
  const fsyncs = following(registry, 'tricord_wal_fsyncs_total', 'Write-ahead log batches made durable')
  const written = following(registry, 'tricord_wal_written_bytes_total', 'Bytes written to the write-ahead log')
  const sent = following(registry, 'tricord_snapshots_sent_total', 'Snapshots streamed to peers')
  const received = following(registry, 'tricord_snapshots_received_total', 'Snapshots received from peers')
  const segments = gauge(registry, 'tricord_wal_segments', 'Segments of the write-ahead log on disk')
  const queued = gauge(registry, 'tricord_wal_queued_bytes', 'Bytes waiting for the write-ahead log')
  const full = gauge(registry, 'tricord_disk_full', '1 while the disk is full and writes are held back')
  const low = gauge(registry, 'tricord_disk_low', '1 while the disk has less room than storage.disk_low_bytes, or is full')
  const free = gauge(registry, 'tricord_disk_free_bytes', 'Free bytes on the disk of the data directory')
  const commit = (): LatencyCounts => readings.host().commitLatencies
  const fsync = (): LatencyCounts => readings.host().fsyncDurations
  void new LatencyMetric(registry, 'consensus_commit_latency_seconds', 'From proposal to commit, on the leader', commit)
  void new LatencyMetric(registry, 'tricord_wal_fsync_duration_seconds', 'Write and fsync of one write-ahead log batch', fsync)
  return async () => {
    const stats = readings.host()
    elections(stats.elections)
    proposals(stats.proposals)
    applied(stats.commandsApplied)
    const known = stats.idempotencyKeys()
    keys.set(known.count)
    keyBytes.set(known.bytes)
    evicted(known.evicted)
    fsyncs(stats.walFsyncs)
    written(stats.walBytes)
    sent(stats.snapshotsSent)
    received(stats.snapshotsReceived)
    segments.set(stats.walSegments)
    queued.set(stats.walQueuedBytes)
    full.set(stats.diskRoom === 'full' ? 1 : 0)
    low.set(stats.diskRoom === 'enough' ? 0 : 1)
    // A disk that fails says so elsewhere, and a failed scrape would be taken for a bug.
    free.set(await readings.freeDiskBytes().catch(() => NaN))
  }
}

function systemMetrics(registry: Registry, readings: NodeReadings): Collect {
  const system = systemSeries(registry, 'tricord', '')
  const loop = gauge(registry, 'tricord_event_loop_delay_seconds', 'Delay of the event loop since the last scrape', ['quantile'])
  return () => {
    system(readings.system())
    const delay = readings.eventLoop()
    if (delay) for (const [quantile, seconds] of Object.entries(delay)) loop.set({ quantile }, seconds)
  }
}

function machineMetrics(registry: Registry, readings: NodeReadings): Collect {
  const active = gauge(registry, 'active_locks_gauge', 'Locks held now')
  const waiters = gauge(registry, 'tricord_lock_waiters', 'Requests waiting for locks')
  const sessions = gauge(registry, 'tricord_sessions', 'Open client sessions')
  const term = gauge(registry, 'tricord_raft_term', 'Term', ['group'])
  const commit = gauge(registry, 'tricord_raft_commit_index', 'Commit index', ['group'])
  const applied = gauge(registry, 'tricord_raft_applied_index', 'Applied index', ['group'])
  const leads = gauge(registry, 'tricord_raft_is_leader', '1 where this node leads the group', ['group'])
  return () => {
    const locks = readings.locks()
    active.set(locks.locks)
    waiters.set(locks.waiters)
    sessions.set(locks.sessions)
    // A group that went to other nodes must not stay on as this one saw it last.
    for (const one of [term, commit, applied, leads]) one.reset()
    for (const { name: group, status } of readings.groups()) {
      term.set({ group }, status.term)
      commit.set({ group }, status.commit)
      applied.set({ group }, status.applied)
      leads.set({ group }, status.role === 'leader' ? 1 : 0)
    }
  }
}
