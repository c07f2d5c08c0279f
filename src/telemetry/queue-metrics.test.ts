/** Metrics of queues, as a scrape sees them. */
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { newTally } from '../queue/tally.ts'
import { type QueueReading, queueMetrics } from './queue-metrics.ts'

const NUMBERS = { depth: 1, inFlight: 2, dead: 4, waiters: 3, oldestReadyAgeMs: 1_500, tally: { ...newTally(), enqueued: 10, acked: 7 } }
/** A partition with these queues, and one of which only its total is told. */
const reading = (...queues: string[]): QueueReading => ({
  queues: queues.length + 1,
  perQueue: queues.map((queue) => ({ namespace: 'default', queue, ...NUMBERS })),
  total: { ...NUMBERS, inFlight: 2 * (queues.length + 1) },
})

function bed(max: number) {
  const registry = new Registry()
  let readings: readonly QueueReading[] = []
  const collect = queueMetrics(registry, () => readings, max)
  return async (now: readonly QueueReading[]) => {
    readings = now
    collect()
    return (await registry.metrics()).split('\n').filter((line) => !line.startsWith('#'))
  }
}

test('depth, age and counts of a queue', async () => {
  const scrape = bed(10)
  const lines = await scrape([reading('q')])
  for (const line of [
    'tricord_queue_depth{namespace="default",queue="q"} 1',
    'tricord_queue_in_flight{namespace="default",queue="q"} 2',
    'tricord_queue_dead{namespace="default",queue="q"} 4',
    'tricord_queue_waiters{namespace="default",queue="q"} 3',
    'tricord_queue_oldest_ready_age_seconds{namespace="default",queue="q"} 1.5',
    'tricord_queue_events_total{namespace="default",queue="q",event="enqueued"} 10',
    'tricord_queues 2',
  ]) {
    expect(lines).toContain(line)
  }
  // The next scrape tells the same: counts are not added up again.
  expect(await scrape([reading('q')])).toContain('tricord_queue_events_total{namespace="default",queue="q",event="acked"} 7')
})

test('so many queues have series, all are in the totals; what is led no more is told of no more', async () => {
  const scrape = bed(2)
  const lines = await scrape([reading('c'), reading('a', 'b')])
  const named = (queue: string) => lines.filter((line) => line.includes(`queue="${queue}"`)).length
  expect([named('a') > 0, named('b') > 0, named('c')]).toEqual([true, true, 0])
  expect(lines).toContain('tricord_queues_in_flight 10')
  expect(lines).toContain('tricord_queues_oldest_ready_age_seconds 1.5')
  expect(lines).toContain('tricord_queues_events_total{event="acked"} 14')
  expect((await scrape([])).filter((line) => line.includes('queue="'))).toEqual([])
})
