/**
 * Metrics of queues, told by the leader of each partition: so a queue is told of once in a cluster, and the series of a
 * leader that was end with its lead. Every queue counts in the totals; only so many have series of their own.
 */
import { Counter, Gauge, type Registry } from 'prom-client'

/** What every replica counts since its start; none of it is replicated. */
export interface QueueTally {
  readonly enqueued: number
  readonly deduplicated: number
  readonly delivered: number
  readonly redelivered: number
  readonly acked: number
  readonly nacked: number
  readonly expired: number
  readonly outlived: number
  readonly dropped: number
  readonly purged: number
  readonly dead: number
  readonly redriven: number
}

export interface QueueReading {
  readonly namespace: string
  readonly queue: string
  readonly ready: number
  readonly leased: number
  readonly delayed: number
  readonly dead: number
  readonly oldestReadyAgeMs: number
  readonly tally: QueueTally
}

const STATES = ['ready', 'leased', 'delayed', 'dead'] as const
const EVENTS = [
  'enqueued',
  'deduplicated',
  'delivered',
  'redelivered',
  'acked',
  'nacked',
  'expired',
  'outlived',
  'dropped',
  'purged',
  'dead',
  'redriven',
] as const
const LABELS = ['namespace', 'queue']

/** `perQueueMax`: how many queues have series of their own: the first by name, so that they stay the same. */
export function queueMetrics(registry: Registry, read: () => readonly QueueReading[], perQueueMax: number): () => void {
  const registers = [registry]
  const depth = new Gauge({ name: 'tricord_queue_messages', help: 'Messages of a queue', labelNames: [...LABELS, 'state'], registers })
  const age = new Gauge({
    name: 'tricord_queue_oldest_ready_age_seconds',
    help: 'Age of its oldest ready message',
    labelNames: LABELS,
    registers,
  })
  const events = new Counter({
    name: 'tricord_queue_events_total',
    help: 'What happened to messages of a queue, since the start of the replica that leads it',
    labelNames: [...LABELS, 'event'],
    registers,
  })
  const queues = new Gauge({ name: 'tricord_queues', help: 'Queues in the partitions that this node leads', registers })
  const all = new Gauge({ name: 'tricord_queues_messages', help: 'Messages of all of them', labelNames: ['state'], registers })
  return () => {
    const readings = read()
    for (const metric of [depth, age, events]) metric.reset()
    queues.set(readings.length)
    for (const state of STATES)
      all.set(
        { state },
        readings.reduce((sum, reading) => sum + reading[state], 0),
      )
    for (const reading of firstByName(readings, perQueueMax)) {
      const { namespace, queue, oldestReadyAgeMs, tally } = reading
      const labels = { namespace, queue }
      for (const state of STATES) depth.set({ ...labels, state }, reading[state])
      age.set(labels, oldestReadyAgeMs / 1_000)
      for (const event of EVENTS) events.inc({ ...labels, event }, tally[event])
    }
  }
}

function firstByName(readings: readonly QueueReading[], max: number): readonly QueueReading[] {
  const nameOf = ({ namespace, queue }: QueueReading) => `${namespace}/${queue}`
  return [...readings].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1)).slice(0, max)
}
