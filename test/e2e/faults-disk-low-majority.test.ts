/**
 * One disk is much larger than the others. Its node is given all leads once the others run low, and must not fill them: a majority
 * on full disks can neither commit nor elect, so that not even what would make room got through.
 */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest'
import { type Answer, type NodeProcess, call } from './processes.ts'
import { DISK_BYTES, type SmallDisks, findings, mayMount, startOnSmallDisks } from './small-disk.ts'

const LOW_BYTES = 20 * 1024 * 1024
/** The store compresses what it can. */
const BODY = randomBytes(18 * 1024).toString('base64')
const BATCH = 8
/** Of bodies, beyond what the smaller disks have. */
const BYTES = 2 * DISK_BYTES

describe.skipIf(!mayMount())('two small disks and a large one', () => {
  let disks: SmallDisks
  beforeAll(async () => {
    const sets = ['storage.engine=leveldb', `storage.disk_low_bytes=${LOW_BYTES}`, 'consensus.log_bytes_max=1048576']
    disks = await startOnSmallDisks(sets, [DISK_BYTES, DISK_BYTES, 16 * DISK_BYTES])
  })
  beforeEach(() => onTestFailed(async () => console.error(await findings(disks))))
  afterAll(() => disks.stop())

  const node = (at: number): NodeProcess => disks.cluster.nodes[at] as NodeProcess
  const enqueue = (data: readonly string[]): Promise<Answer> =>
    call(node(2).url, 'POST', '/v1/queues/orders/enqueue', { messages: data.map((one) => ({ data: one })) })
  const gauge = async ({ url }: NodeProcess, name: string): Promise<string | undefined> =>
    new RegExp(`^${name}(?:{.*})? (.*)$`, 'm').exec(await (await fetch(`${url}/metrics`)).text())?.[1]

  test('what the two have no room for is refused, whoever leads, and a purge goes through', async () => {
    const batch = Array.from({ length: BATCH }, (_, at) => BODY.slice(at))
    let stored = 0
    let refused = 0
    while (stored + refused < BYTES / (BATCH * BODY.length)) {
      const { status, body } = await enqueue(batch)
      if (status === 201) stored++
      else {
        expect(body).toMatchObject({ status: 507, code: 'DISK_LOW', outcome: 'not-applied' })
        refused++
      }
    }
    expect([stored > 0, refused > 0]).toEqual([true, true])
    const shown = await call(node(2).url, 'GET', '/v1/queues/orders')
    expect(shown.body['total']).toBe(stored * BATCH)
    for (const at of [0, 1, 2]) expect(await gauge(node(at), 'tricord_disk_full')).toBe('0')

    const purged = await call(node(2).url, 'DELETE', '/v1/queues/orders/messages?confirm=orders')
    expect(purged.status).toBe(200)
    await expect.poll(async () => (await enqueue(['one more'])).status, { timeout: 60_000, interval: 250 }).toBe(201)
  }, 240_000)
})
