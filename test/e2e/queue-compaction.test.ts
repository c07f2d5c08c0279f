/**
 * Old messages never pin the disk (I14): one is leased for ever, another stays ready behind more urgent ones, while much flows
 * through their queue and through another, as backlogs, which reach the store. The bound, whatever flows: of the log two
 * segments and what is kept for slow followers; of the store its write buffers, and as much deleted as `disk_low_bytes` lets lie.
 */
import { randomBytes } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { type ProcessCluster, call, startProcesses } from './processes.ts'

const MIB = 2 ** 20
const SEGMENT_BYTES = 4 * MIB
const LOW_BYTES = 16 * MIB
/** Two segments, what four groups and their three peers keep, and one segment that is being let go. */
const WAL_BYTES_MAX = 4 * SEGMENT_BYTES
/** A write buffer of 16 MiB, and its table, besides LOW_BYTES / 4: less than one part. */
const STORE_BYTES_MAX = 24 * MIB
const PARTS = 4
const PART_BYTES = 24 * MIB
const BATCH = 8
const BODY_BYTES = 16 * 1024
const SIDE_BY_SIDE = 6

let cluster: ProcessCluster
afterEach(() => cluster.stop())

async function bytesIn(directory: string): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    // Files come and go meanwhile.
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath ?? entry.path, entry.name)).catch(() => ({ size: 0 }))).size
  }
  return bytes
}

interface Message {
  readonly id: string
  readonly token: number
  readonly data: string
}

const post = async (queue: string, action: string, body: unknown): Promise<Record<string, unknown>> => {
  const answer = await call(cluster.nodes[0]?.url ?? '', 'POST', `/v1/queues/${queue}/${action}`, body)
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300)
  return answer.body
}
const lease = async (queue: string, max: number): Promise<readonly Message[]> =>
  (await post(queue, 'dequeue', { max, waitMs: 1_000, visibilityMs: 120_000 }))['messages'] as readonly Message[]

async function fill(queue: string, batches: number): Promise<void> {
  const message = () => ({ data: randomBytes(BODY_BYTES * 0.75).toString('base64'), priority: 9 })
  for (let i = 0; i < batches; i++) await post(queue, 'enqueue', { messages: Array.from({ length: BATCH }, message) })
}

async function drain(queue: string, batches: number): Promise<void> {
  for (let left = batches * BATCH; left > 0;) {
    const messages = await lease(queue, Math.min(left, BATCH))
    left -= messages.length
    if (messages.length > 0) await post(queue, 'ack', { items: messages.map(({ id, token }) => ({ id, token })) })
  }
}

test('one old message that is never acknowledged, and one that is never delivered, pin neither the log nor the store', async () => {
  const sets = [`consensus.segment_bytes=${SEGMENT_BYTES}`, 'consensus.log_bytes_max=1048576', `storage.disk_low_bytes=${LOW_BYTES}`]
  cluster = await startProcesses({ sets: ['cluster.partitions=4', ...sets] })
  await post('old', 'enqueue', { data: 'leased for ever' })
  const [leased] = (await lease('old', 1)) as [Message]
  await post('old', 'enqueue', { data: 'ready for ever' })
  const batches = Math.ceil(PART_BYTES / (BATCH * BODY_BYTES) / SIDE_BY_SIDE)
  const queues = Array.from({ length: SIDE_BY_SIDE }, (_, i) => (i % 2 === 0 ? 'old' : 'other'))
  const most = async (part: string): Promise<number> =>
    Math.max(...(await Promise.all(cluster.nodes.map(({ data }) => bytesIn(join(data, part))))))
  for (let part = 0; part < PARTS; part++) {
    await Promise.all(queues.map((queue) => fill(queue, batches)))
    await Promise.all(queues.map((queue) => drain(queue, batches)))
    await post('old', 'extend', { items: [{ id: leased.id, token: leased.token, visibilityMs: 120_000 }] })
    // A compaction is seen to by a clock of its own.
    await expect.poll(() => most('state'), { timeout: 20_000, interval: 250 }).toBeLessThan(STORE_BYTES_MAX)
    await expect.poll(() => most('wal'), { timeout: 20_000, interval: 250 }).toBeLessThan(WAL_BYTES_MAX)
    console.log(
      `${((part + 1) * PART_BYTES) / MIB} MiB: log ${Math.round((await most('wal')) / MIB)}, store ${Math.round((await most('state')) / MIB)} MiB`,
    )
  }
  const [ready] = (await lease('old', 1)) as [Message]
  expect(ready.data).toBe('ready for ever')
  await post('old', 'ack', { items: [leased, ready].map(({ id, token }) => ({ id, token })) })
}, 300_000)
