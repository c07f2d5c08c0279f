/** The gateway's end: what runs is answered, and nothing else is waited for. */
import { expect, test } from 'vitest'
import { startEmbedded } from '../embedded.ts'

test('a connection that was busy when the gateway began to stop is not waited for once it has its answer', async () => {
  const bugs: unknown[] = []
  const onBug = (error: unknown): void => void bugs.push(error)
  // Longer than the test may take: whoever waits for the cut fails.
  const sets = ['cluster.partitions=1', 'consensus.segment_bytes=1048576', 'http.drain_timeout_ms=600000']
  const cluster = await startEmbedded({ nodes: 1, port: 0, data: null, sets, onBug, onDiskFatal: onBug })
  const url = `${cluster.nodes[0]?.url}/locks/a`
  const acquire = (body: unknown): Promise<Response> =>
    fetch(`${url}/acquire`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  expect((await acquire({})).status).toBe(200)
  const waiting = acquire({ waitMs: 400 })
  const queued = async () => ((await (await fetch(`${url}/status`)).json()) as { queueLength: number }).queueLength
  await expect.poll(queued).toBe(1)
  const stopped = cluster.stop()
  expect((await waiting).status).toBe(423)
  await stopped
  expect(bugs).toEqual([])
}, 20_000)
