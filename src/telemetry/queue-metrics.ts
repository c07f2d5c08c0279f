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

export interface QueueNumbers {
  /** Ready and delayed. */
  readonly depth: number
  readonly inFlight: number
  readonly dead: number
  /** Dequeues that wait. */
  readonly waiters: number
  readonly oldestReadyAgeMs: number
  readonly tally: QueueTally
}

/** Of one partition. */
export interface QueueReading {
  readonly queues: number
  /** Not necessarily of all. */
  readonly perQueue: readonly ({ readonly namespace: string; readonly queue: string } & QueueNumbers)[]
  readonly total: QueueNumbers
}

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
const QUEUE = ['namespace', 'queue']

/** `perQueueMax`: how many queues have series of their own: the first by name, so that they stay the same. */
export function queueMetrics(registry: Registry, read: () => readonly QueueReading[], perQueueMax: number): () => void {
  const own = seriesOf(registry, 'tricord_queue', 'of a queue', QUEUE)
  const all = seriesOf(registry, 'tricord_queues', 'of all queues in the partitions that this node leads', [])
  const queues = new Gauge({ name: 'tricord_queues', help: 'Queues in the partitions that this node leads', registers: [registry] })
  return () => {
    const readings = read()
    own.reset()
    all.reset()
    queues.set(readings.reduce((sum, reading) => sum + reading.queues, 0))
    for (const { total } of readings) all.add({}, total)
    for (const numbers of firstByName(readings, perQueueMax)) own.add({ namespace: numbers.namespace, queue: numbers.queue }, numbers)
  }
}

type Labels = Readonly<Record<string, string>>

function seriesOf(registry: Registry, prefix: string, what: string, labelNames: readonly string[]) {
  const gauge = (name: string, help: string) =>
    new Gauge({ name: `${prefix}_${name}`, help: `${help} ${what}`, labelNames, registers: [registry] })
  const depth = gauge('depth', 'Messages that wait, ready or delayed,')
  const inFlight = gauge('in_flight', 'Leased messages')
  const dead = gauge('dead', 'Dead messages')
  const waiters = gauge('waiters', 'Dequeues that wait for messages')
  const age = gauge('oldest_ready_age_seconds', 'Age of the oldest ready message')
  const events = new Counter({
    name: `${prefix}_events_total`,
    help: `What happened to messages ${what}, since the leading replica started`,
    labelNames: [...labelNames, 'event'],
    registers: [registry],
  })
  let oldestMs = 0
  return {
    reset() {
      for (const metric of [depth, inFlight, dead, waiters, age, events]) metric.reset()
      oldestMs = 0
    },
    add(labels: Labels, numbers: QueueNumbers) {
      depth.inc(labels, numbers.depth)
      inFlight.inc(labels, numbers.inFlight)
      dead.inc(labels, numbers.dead)
      waiters.inc(labels, numbers.waiters)
      oldestMs = labelNames.length > 0 ? numbers.oldestReadyAgeMs : Math.max(oldestMs, numbers.oldestReadyAgeMs)
      age.set(labels, oldestMs / 1_000)
      for (const event of EVENTS) events.inc({ ...labels, event }, numbers.tally[event])
    },
  }
}

function firstByName(readings: readonly QueueReading[], max: number) {
  const nameOf = ({ namespace, queue }: { readonly namespace: string; readonly queue: string }) => `${namespace}/${queue}`
  return readings
    .flatMap(({ perQueue }) => perQueue)
    .sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
    .slice(0, max)
}
