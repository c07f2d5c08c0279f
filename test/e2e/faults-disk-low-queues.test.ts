/**
 * Disks that queues have filled up to the mark: what would add is refused in clear words, what is there can be leased, given
 * back, acknowledged and thrown away, and that brings the space back.
 */
import { randomBytes } from 'node:crypto'
import { statfs } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest'
import { type Answer, type NodeProcess, call } from './processes.ts'
import { type SmallDisks, findings, mayMount, startOnSmallDisks } from './small-disk.ts'

const LOW_BYTES = 20 * 1024 * 1024
/** The store compresses what it can. */
const BODY = randomBytes(18 * 1024).toString('base64')
const BATCH = 8
const SIDE_BY_SIDE = 4
const CALLS_MAX = 1_000

interface Message {
  readonly id: string
  readonly token: number
}

/** RocksDB's package has binaries for these two platforms only. */
const ENGINES = ['linux-x64', 'darwin-arm64'].includes(`${process.platform}-${process.arch}`) ? ['leveldb', 'rocksdb'] : ['leveldb']

describe.skipIf(!mayMount()).each(ENGINES)('disks that queues fill, with %s', (engine) => {
  let disks: SmallDisks
  beforeAll(async () => {
    const sets = [`storage.engine=${engine}`, `storage.disk_low_bytes=${LOW_BYTES}`, 'consensus.log_bytes_max=1048576']
    disks = await startOnSmallDisks(sets)
  })
  beforeEach(() => onTestFailed(async () => console.error(await findings(disks))))
  afterAll(() => disks.stop())

  const post = (queue: string, action: string, body: unknown): Promise<Answer> =>
    call(disks.cluster.nodes[0]?.url ?? '', 'POST', `/v1/queues/${queue}/${action}`, body)
  const one = (queue: string): Promise<Answer> => post(queue, 'enqueue', { data: 'one more' })
  const freeBytes = async ({ data }: NodeProcess): Promise<number> => {
    const { bavail, bsize } = await statfs(data)
    return bavail * bsize
  }
  /** Batches into `queue` until one is refused; resolves with how many messages there are, and the refusal. */
  const fillQueue = async (queue: string): Promise<{ count: number; refusal: Answer }> => {
    const messages = Array.from({ length: BATCH }, (_, at) => ({ data: BODY.slice(at) }))
    let count = 0
    for (let calls = 0; calls < CALLS_MAX; calls += SIDE_BY_SIDE) {
      const answers = await Promise.all(Array.from({ length: SIDE_BY_SIDE }, () => post(queue, 'enqueue', { messages })))
      count += answers.filter(({ status }) => status === 201).length * BATCH
      const refusal = answers.find(({ status }) => status !== 201)
      if (refusal) return { count, refusal }
    }
    throw new Error('the disk does not fill')
  }
  const lease = async (queue: string, max: number): Promise<readonly Message[]> => {
    const { status, body } = await post(queue, 'dequeue', { max, waitMs: 0, visibilityMs: 60_000 })
    expect(status, JSON.stringify(body)).toBe(200)
    return body['messages'] as readonly Message[]
  }
  const key = ({ id, token }: Message) => ({ id, token })

  test('enqueue is refused, everything else works, and what is acknowledged and purged makes room', async () => {
    expect((await one('fresh')).status).toBe(201)
    const { count, refusal } = await fillQueue('orders')
    expect(refusal).toMatchObject({ status: 507, body: { code: 'DISK_LOW', outcome: 'not-applied', retryable: true } })
    // Led by another node perhaps, whose disk has a little more room.
    expect((await fillQueue('fresh')).refusal).toMatchObject({ status: 507, body: { code: 'DISK_LOW', outcome: 'not-applied' } })
    const total = async (queue: string): Promise<unknown> =>
      (await call(disks.cluster.nodes[1]?.url ?? '', 'GET', `/v1/queues/${queue}`)).body['total']
    expect(await total('orders')).toBe(count)

    const [first, second, third] = (await lease('orders', 3)) as [Message, Message, Message]
    expect(await post('orders', 'extend', { items: [{ ...key(first), visibilityMs: 90_000 }] })).toMatchObject({ status: 200 })
    expect(await post('orders', 'nack', { items: [{ ...key(second), delayMs: 0 }] })).toMatchObject({ status: 200 })
    expect(await post('orders', 'ack', { items: [key(first), key(third)] })).toMatchObject({ status: 200 })
    expect(await total('orders')).toBe(count - 2)

    const pids = disks.cluster.nodes.map(({ pid }) => pid)
    for (let acknowledged = 2; acknowledged < count / 2;) {
      const messages = await lease('orders', BATCH)
      expect(await post('orders', 'ack', { items: messages.map(key) })).toMatchObject({ status: 200 })
      acknowledged += messages.length
    }
    for (const queue of ['orders', 'fresh']) {
      const purged = await call(disks.cluster.nodes[2]?.url ?? '', 'DELETE', `/v1/queues/${queue}/messages?confirm=${queue}`)
      expect(purged.status).toBe(200)
    }
    await expect.poll(async () => (await one('fresh')).status, { timeout: 60_000, interval: 250 }).toBe(201)
    // Not the log alone, which is small: the bodies are gone from the disks.
    for (const node of disks.cluster.nodes) {
      await expect.poll(() => freeBytes(node), { timeout: 60_000, interval: 250 }).toBeGreaterThan(LOW_BYTES + LOW_BYTES / 2)
    }
    // Refused in between, perhaps: while the log of what came at once is not yet let go.
    for (let again = 0; again < count;) {
      const more = await fillQueue('again')
      expect(more.refusal).toMatchObject({ status: 507, body: { code: 'DISK_LOW' } })
      again += more.count
      if (again < count) await expect.poll(() => one('again'), { timeout: 60_000, interval: 250 }).toMatchObject({ status: 201 })
    }
    expect(disks.cluster.nodes.map(({ pid }) => pid)).toEqual(pids)
  }, 240_000)
})
