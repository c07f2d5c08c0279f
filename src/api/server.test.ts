/** The gateway's end: what runs is answered, and nothing else is waited for. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { startEmbedded } from '../embedded.ts'

/** Longer than a test may take: whoever waits for the cut fails. */
const SETS = ['cluster.partitions=1', 'consensus.segment_bytes=1048576', 'http.drain_timeout_ms=600000']

test('a connection that was busy when the gateway began to stop is not waited for once it has its answer', async () => {
  const bugs: unknown[] = []
  const onBug = (error: unknown): void => void bugs.push(error)
  const cluster = await startEmbedded({ nodes: 1, port: 0, data: null, sets: SETS, onBug, onDiskFatal: onBug })
  const url = `${cluster.nodes[0]?.url}/locks/a`
  const acquire = (body: unknown): Promise<Response> =>
    fetch(`${url}/acquire`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  expect((await acquire({})).status).toBe(200)
  // So long that it is seen to wait, on a busy machine, too.
  const waiting = acquire({ waitMs: 3_000 })
  const queued = async () => ((await (await fetch(`${url}/status`)).json()) as { queueLength: number }).queueLength
  await expect.poll(queued).toBe(1)
  const stopped = cluster.stop()
  expect((await waiting).status).toBe(423)
  await stopped
  expect(bugs).toEqual([])
})

test('a connection that has never asked for anything is not waited for: its client was opening it, and was done before', async () => {
  const bugs: unknown[] = []
  const onBug = (error: unknown): void => void bugs.push(error)
  const cluster = await startEmbedded({ nodes: 1, port: 0, data: null, sets: SETS, onBug, onDiskFatal: onBug })
  const { hostname, port } = new URL(cluster.nodes[0]?.url ?? '')
  const silent = connect(Number(port), hostname)
  await once(silent, 'connect')
  // It is accepted before this one is.
  expect((await fetch(`${cluster.nodes[0]?.url}/livez`)).status).toBe(200)
  const ended = once(silent, 'close')
  await cluster.stop()
  await ended
  expect(bugs).toEqual([])
})
