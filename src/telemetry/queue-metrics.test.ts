/** Metrics of queues, as a scrape sees them. */
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { type QueueReading, queueMetrics } from './queue-metrics.ts'

const NOTHING = {
  enqueued: 0,
  deduplicated: 0,
  delivered: 0,
  redelivered: 0,
  acked: 0,
  nacked: 0,
  expired: 0,
  outlived: 0,
  dropped: 0,
  purged: 0,
  dead: 0,
  redriven: 0,
}
const reading = (queue: string, more: Partial<QueueReading> = {}): QueueReading => ({
  namespace: 'default',
  queue,
  ready: 1,
  leased: 2,
  delayed: 3,
  dead: 4,
  oldestReadyAgeMs: 1_500,
  tally: { ...NOTHING, enqueued: 10, acked: 7 },
  ...more,
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

test('depths, age and counts of a queue', async () => {
  const scrape = bed(10)
  const lines = await scrape([reading('q')])
  for (const line of [
    'tricord_queue_messages{namespace="default",queue="q",state="ready"} 1',
    'tricord_queue_messages{namespace="default",queue="q",state="dead"} 4',
    'tricord_queue_oldest_ready_age_seconds{namespace="default",queue="q"} 1.5',
    'tricord_queue_events_total{namespace="default",queue="q",event="enqueued"} 10',
    'tricord_queues 1',
  ]) {
    expect(lines).toContain(line)
  }
  // The next scrape tells the same: counts are not added up again.
  expect(await scrape([reading('q')])).toContain('tricord_queue_events_total{namespace="default",queue="q",event="acked"} 7')
})

test('so many queues have series, all are in the totals; what is led no more is told of no more', async () => {
  const scrape = bed(2)
  const lines = await scrape(['c', 'a', 'b'].map((queue) => reading(queue)))
  const named = (queue: string) => lines.filter((line) => line.includes(`queue="${queue}"`)).length
  expect([named('a') > 0, named('b') > 0, named('c')]).toEqual([true, true, 0])
  expect(lines).toContain('tricord_queues_messages{state="leased"} 6')
  expect((await scrape([])).filter((line) => line.includes('queue="'))).toEqual([])
})
