/**
 * Queues on real processes, NATS and disks, while nodes are killed, stopped, cut off, added and removed: nothing that was
 * answered 201 is lost or doubled, groups keep their order. ROUNDS=20 for the long run.
 */
import { afterEach, expect, test } from 'vitest'
import { surely } from './load.ts'
import { type NodeProcess, type ProcessCluster, call, startProcesses } from './processes.ts'
import { type QueueLoad, startQueueLoad } from './queue-load.ts'
import { startWired } from './wired-processes.ts'

const ROUNDS = Number(process.env['ROUNDS'] ?? 2)
const QUEUES = ['orders', 'mail', 'audit', 'images']

const SETS = ['cluster.partitions=16']
const STOPPED_MS = 5_000

let cluster: ProcessCluster
afterEach(() => cluster.stop())

const load = (label: string): Promise<QueueLoad> => startQueueLoad(cluster.nodes, label, { queues: QUEUES, producers: 6, consumers: 8 })
const pass = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function finish(running: QueueLoad, what: string): Promise<void> {
  const { violations, enqueued, deliveries, redeliveries } = await running.drain()
  console.log(`${what}: ${enqueued} messages, ${violations.length} violations; ${redeliveries} of ${deliveries} deliveries again`)
  expect(violations).toEqual([])
  expect(enqueued).toBeGreaterThan(QUEUES.length)
  for (const queue of QUEUES) {
    const { body } = await call(cluster.nodes[0]?.url ?? '', 'GET', `/v1/queues/${queue}`)
    expect(body).toMatchObject({ queue, total: 0 })
  }
}

async function leaderOf(queue: string): Promise<NodeProcess> {
  for (;;) {
    const answer = await call(cluster.nodes[0]?.url ?? '', 'GET', `/v1/queues/${queue}`)
    const leader = cluster.nodes.find(({ id }) => id === answer.body['leader'])
    if (leader) return leader
  }
}

test('kill -9 of the leader of a queue, again and again', async () => {
  cluster = await startProcesses({ sets: SETS })
  const running = await load('kill')
  for (let round = 0; round < ROUNDS; round++) {
    await running.nextRoundTrip()
    const leader = await leaderOf(QUEUES[round % QUEUES.length] ?? '')
    await leader.kill()
    await running.nextRoundTrip()
    await leader.start()
  }
  await finish(running, `${ROUNDS} kills`)
}, 600_000)

/** Dequeues that wait on the queue, by its leader. */
async function waitersOf(queue: string, asked: readonly NodeProcess[]): Promise<number | null> {
  const answer = await call(asked[0]?.url ?? '', 'GET', `/v1/queues/${queue}`)
  const leader = asked.find(({ id }) => id === answer.body['leader'])
  if (!leader) return null
  const text = await (await fetch(`${leader.url}/metrics`)).text()
  const found = new RegExp(`^tricord_queue_waiters\\{[^}]*queue="${queue}"[^}]*\\} (\\d+)$`, 'm').exec(text)
  return found === null ? null : Number(found[1])
}

test('who waited at a node that was killed is not given what comes: not by the old leader, nor by a new one', async () => {
  cluster = await startProcesses({ sets: SETS })
  const waitMs = 25_000
  for (const kills of ['its leader', 'another'] as const) {
    const queue = `left-${kills.length}`
    await call(cluster.nodes[0]?.url ?? '', 'PUT', `/v1/queues/${queue}`, {})
    const leader = await leaderOf(queue)
    const gateway = kills === 'its leader' ? leader : (cluster.nodes.find((node) => node !== leader) as NodeProcess)
    const others = cluster.nodes.filter((node) => node !== gateway)
    const askedAt = Date.now()
    const asked = call(gateway.url, 'POST', `/v1/queues/${queue}/dequeue`, { waitMs }).catch(() => null)
    while ((await waitersOf(queue, cluster.nodes)) !== 1) await pass(50)
    await gateway.kill()
    expect(await asked).toBeNull()
    while ((await waitersOf(queue, others)) !== 0) await pass(50)
    // Long before the wait would have ended by itself.
    expect(Date.now() - askedAt).toBeLessThan(waitMs)
    expect(await surely(others, 0, `/v1/queues/${queue}/enqueue`, { data: 1 }, queue)).toMatchObject({ status: 201 })
    const { body } = await call(others[1]?.url ?? '', 'POST', `/v1/queues/${queue}/dequeue`, {})
    expect(body).toMatchObject({ messages: [{ data: 1, attempt: 1 }] })
    await gateway.start()
  }
}, 300_000)

test('the leader of a queue is stopped for a while, and later cut off from NATS', async () => {
  const wired = await startWired(SETS)
  cluster = wired
  const running = await load('cut')
  for (let round = 0; round < ROUNDS; round++) {
    await running.nextRoundTrip()
    const stopped = await leaderOf('orders')
    stopped.pause()
    await pass(STOPPED_MS)
    stopped.resume()
    await running.nextRoundTrip()
    const lonely = await leaderOf('mail')
    wired.wireOf(lonely).cut(round % 2 === 0 ? 'silent' : 'closed')
    await running.nextRoundTrip()
    await pass(STOPPED_MS / 2)
    wired.wireOf(lonely).heal()
  }
  await running.nextRoundTrip()
  await finish(running, `${ROUNDS} times stopped and cut off`)
}, 600_000)

test('a fourth node joins, one of the first three leaves: partitions move under load', async () => {
  cluster = await startProcesses({ sets: SETS })
  const running = await load('move')
  await running.nextRoundTrip()
  const n4 = cluster.another('n4', ['--join'])
  await n4.start()
  cluster.admit(n4)
  const replicasOf4 = async (): Promise<number> => {
    const { body } = await call(n4.url, 'GET', '/cluster/status')
    return (body['groups'] as readonly { replicas: readonly string[] }[]).filter(({ replicas }) => replicas.includes('n4')).length
  }
  await expect.poll(replicasOf4, { timeout: 60_000 }).toBeGreaterThan(8)
  await running.nextRoundTrip()
  const leaving = await leaderOf('orders')
  expect((await call(n4.url, 'DELETE', `/cluster/members/${leaving.id}`)).status).toBe(200)
  const members = async (): Promise<readonly string[]> => {
    const { body } = await call(n4 === leaving ? (cluster.nodes[0]?.url ?? '') : n4.url, 'GET', '/cluster/status')
    return (body['nodes'] as readonly { id: string }[]).map(({ id }) => id)
  }
  await expect.poll(members, { timeout: 60_000 }).not.toContain(leaving.id)
  await running.nextRoundTrip()
  cluster.dismiss(leaving.id)
  expect(await leaving.kill('SIGTERM')).toBe(0)
  await running.nextRoundTrip()
  await finish(running, 'one node more, one node less')
}, 600_000)
