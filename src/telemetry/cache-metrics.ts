/** Metrics of the caches: what this node holds and reads, and what its homes say to others and wait for. */
import type { Registry } from 'prom-client'
import type { LatencyCounts } from '../base/latency-histogram.ts'
import { LatencyMetric } from './latency-metric.ts'
import { following, gauge } from './series.ts'

export interface CacheReading {
  /** Copies on this node, by state. */
  readonly lines: Readonly<Record<string, number>>
  /** Of these copies, of all caches. */
  readonly bytes: number
  /** Copies that had to go for want of room. */
  readonly evictedLines: number
  readonly hits: number
  readonly misses: number
  /** Copies that were invalidated before anybody had read them again. */
  readonly falseInvalidations: number
  /** Sessions that ended while they were wanted. */
  readonly sessionBreaks: number
  /** Homes on this node, and those of them that do not speak yet. */
  readonly homes: number
  readonly silentHomes: number
  /** Lines whose copies the homes know of. */
  readonly trackedLines: number
  /** Lines that were invalidated again and again in the last seconds. */
  readonly pingPongLines: number
  /** Gateways that wait to hear of changes, for each partition. */
  readonly watches: number
  /** What homes were told and said, by type. */
  readonly messages: Readonly<Record<string, number>>
  /** Entries, bytes and evictions of the partitions that this node leads. */
  readonly entries: number
  readonly entryBytes: number
  readonly evictions: number
  /** What the entries of all replicas on this node take in memory, and what they may; 0: there is no bound. */
  readonly replicaBytes: number
  readonly replicaBytesMax: number
  /** Acknowledged writes of owners that were gone before they were flushed (`writeback`). */
  readonly lostWrites: number
  /** Subscriptions that are lent copies, the lines of these, and leases of theirs that ended before they had acknowledged. */
  readonly borrowers: number
  readonly lentLines: number
  readonly overdueBorrowers: number
  /** How long answers waited at the gate, where they did. */
  readonly gateWaits: LatencyCounts
}

export function cacheMetrics(registry: Registry, read: () => CacheReading): () => void {
  const lines = gauge(registry, 'tricord_cache_lines', 'Copies of lines on this node', ['state'])
  const bytes = gauge(registry, 'tricord_cache_line_bytes', 'What the copies take')
  const evictedLines = following(registry, 'tricord_cache_lines_evicted_total', 'Copies dropped for want of room')
  const reads = following(registry, 'tricord_cache_reads_total', 'Reads of lines, by whether a copy here answered', ['result'])
  const falseInv = following(registry, 'tricord_cache_false_invalidations_total', 'Copies invalidated before anybody read them again')
  const breaks = following(registry, 'tricord_cache_session_breaks_total', 'Sessions with homes that ended while they were wanted')
  const homes = gauge(registry, 'tricord_cache_homes', 'Homes of partitions on this node', ['state'])
  const tracked = gauge(registry, 'tricord_cache_tracked_lines', 'Lines whose copies the homes of this node know of')
  const pingPong = gauge(registry, 'tricord_cache_ping_pong_lines', 'Lines invalidated five times and more within ten seconds')
  const watches = gauge(registry, 'tricord_cache_watches', 'Gateways that wait to hear what changes on a partition whose home is here')
  const messages = following(registry, 'tricord_cache_messages_total', 'Messages between homes here and nodes, by type', ['type'])
  const entries = gauge(registry, 'tricord_cache_entries', 'Entries in the partitions that this node leads')
  const entryBytes = gauge(registry, 'tricord_cache_entry_bytes', 'What these entries take')
  const replicaBytes = gauge(registry, 'tricord_cache_replica_bytes', 'What the entries of all replicas on this node take in memory')
  const replicaBytesMax = gauge(registry, 'tricord_cache_replica_bytes_max', 'What they may take; 0: there is no bound')
  const lost = following(registry, 'tricord_cache_writeback_lost_total', 'Acknowledged writes that were gone before they were flushed')
  const borrowers = gauge(registry, 'tricord_cache_borrowers', 'Subscriptions that keep copies of what this node lends them')
  const lentLines = gauge(registry, 'tricord_cache_lent_lines', 'Lines that they were lent')
  const overdue = following(registry, 'tricord_cache_overdue_borrowers_total', 'Their leases that ended before they had acknowledged')
  const evictions = gauge(registry, 'tricord_cache_evictions', 'Entries evicted from these partitions since each cache began')
  void new LatencyMetric(registry, 'tricord_cache_gate_wait_seconds', 'How long answers waited for copies to go', () => read().gateWaits)
  return () => {
    const now = read()
    for (const [state, count] of Object.entries(now.lines)) lines.set({ state }, count)
    bytes.set(now.bytes)
    evictedLines(now.evictedLines)
    reads(now.hits, { result: 'hit' })
    reads(now.misses, { result: 'miss' })
    falseInv(now.falseInvalidations)
    breaks(now.sessionBreaks)
    homes.set({ state: 'open' }, now.homes - now.silentHomes)
    homes.set({ state: 'silent' }, now.silentHomes)
    tracked.set(now.trackedLines)
    pingPong.set(now.pingPongLines)
    watches.set(now.watches)
    for (const [type, count] of Object.entries(now.messages)) messages(count, { type })
    entries.set(now.entries)
    entryBytes.set(now.entryBytes)
    evictions.set(now.evictions)
    replicaBytes.set(now.replicaBytes)
    replicaBytesMax.set(now.replicaBytesMax)
    lost(now.lostWrites)
    borrowers.set(now.borrowers)
    lentLines.set(now.lentLines)
    overdue(now.overdueBorrowers)
  }
}
