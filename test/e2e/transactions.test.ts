/**
 * Transactions of queues and caches, and values of a mebibyte, on real processes, NATS and disks. A worker takes numbered work and
 * keeps the sum in a cache, in one transaction each: whoever dies, nothing is counted twice and nothing is left out.
 */
import { afterEach, expect, test } from 'vitest'
import { type ProcessCluster, call, startProcesses } from './processes.ts'

const SETS = ['cluster.partitions=8']
const KILLS = Number(process.env['ROUNDS'] ?? 2)
const JOBS_PER_KILL = 40
const QUEUE = '{w}jobs'
const SUM = '/v1/caches/sums/entries/%7Bw%7Dsum'

let cluster: ProcessCluster
afterEach(() => cluster.stop())

const at = (nth: number): string => cluster.nodes[nth % cluster.nodes.length]?.url ?? ''

test('what is taken from a queue is counted in a cache once, though the leader dies again and again', async () => {
  cluster = await startProcesses({ sets: SETS })
  let [sent, turn] = [0, 0]
  const send = async (): Promise<void> => {
    const headers = { 'idempotency-key': `job-${++sent}` }
    for (;;) {
      const { status } = await call(at(turn++), 'POST', `/v1/queues/${QUEUE}/enqueue`, { data: sent }, headers).catch(() => ({ status: 0 }))
      if (status === 201) return
    }
  }
  /** One job, if there is one: its number is added to the sum that was read, and both happen or none. */
  const work = async (): Promise<void> => {
    const taken = await call(at(turn++), 'POST', `/v1/queues/${QUEUE}/dequeue`, { waitMs: 200, visibilityMs: 5_000 }).catch(() => null)
    const [message] = (taken?.status === 200 ? taken.body['messages'] : []) as { id: string; token: number; data: number }[]
    if (message === undefined) return
    const read = await call(at(turn++), 'GET', SUM).catch(() => null)
    if (read === null || (read.status !== 200 && read.status !== 404)) return
    const before = read.status === 404 ? { sum: 0, done: 0 } : (read.body as { sum: number; done: number })
    const data = { sum: before.sum + message.data, done: before.done + 1 }
    const ops = [
      { ack: { queue: QUEUE, items: [{ id: message.id, token: message.token }] } },
      { cachePut: { cache: 'sums', key: '{w}sum', data } },
    ]
    const key = { 'idempotency-key': `done-${message.id}-${message.token}` }
    for (let tries = 0; tries < 20; tries++) {
      const answer = await call(at(turn++), 'POST', '/v1/tx', { ops }, key).catch(() => null)
      if (answer !== null && answer.status !== 503 && answer.status !== 504) return
    }
  }
  for (let round = 0; round < KILLS; round++) {
    for (let job = 0; job < JOBS_PER_KILL; job++) await send()
    const { body } = await call(at(round), 'GET', `/v1/queues/${QUEUE}`)
    const leader = cluster.nodes.find(({ id }) => id === body['leader'])
    for (let job = 0; job < JOBS_PER_KILL / 2; job++) await work()
    await leader?.kill()
    for (let job = 0; job < JOBS_PER_KILL / 4; job++) await work()
    await leader?.start()
  }
  for (let done = 0; done < sent;) {
    await work()
    const read = await call(at(turn++), 'GET', SUM).catch(() => null)
    done = read?.status === 200 ? (read.body['done'] as number) : done
    expect(done).toBeLessThanOrEqual(sent)
  }
  for (const { url } of cluster.nodes) {
    expect((await call(url, 'GET', SUM)).body).toEqual({ sum: (sent * (sent + 1)) / 2, done: sent })
  }
  expect((await call(at(0), 'GET', `/v1/queues/${QUEUE}`)).body).toMatchObject({ total: 0 })
}, 300_000)

test('a value of a mebibyte is put by way of every node, read on every other, and there after they were killed', async () => {
  cluster = await startProcesses({ sets: SETS })
  const value = (nth: number): Buffer => Buffer.alloc(1_048_576, 65 + nth)
  const headers = { 'content-type': 'application/octet-stream' }
  for (const [nth, { url }] of cluster.nodes.entries()) {
    const put = await fetch(`${url}/v1/caches/large/entries/k${nth}`, { method: 'PUT', body: value(nth), headers })
    expect(put.status).toBe(201)
    for (const other of cluster.nodes) {
      const read = await fetch(`${other.url}/v1/caches/large/entries/k${nth}`)
      expect(read.status).toBe(200)
      expect(Buffer.from(await read.arrayBuffer()).equals(value(nth))).toBe(true)
    }
  }
  await Promise.all(cluster.nodes.map((node) => node.kill()))
  await Promise.all(cluster.nodes.map((node) => node.start()))
  for (const { url } of cluster.nodes) {
    const read = await fetch(`${url}/v1/caches/large/entries/k1`)
    expect(Buffer.from(await read.arrayBuffer()).equals(value(1))).toBe(true)
  }
})
