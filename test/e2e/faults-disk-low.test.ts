/** Disks on which space runs low: nobody loses a lock to it, new ones are refused in clear words, and nothing is restarted. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startLoad } from './load.ts'
import { type Answer, type NodeProcess, type ProcessCluster, call } from './processes.ts'
import { type SmallDisks, fill, free, mayMount, startOnSmallDisks } from './small-disk.ts'

const LOW_BYTES = 16 * 1024 * 1024
const LEFT_BYTES = 12 * 1024 * 1024

const post = (node: NodeProcess, path: string, body: unknown, headers = {}): Promise<Answer> => call(node.url, 'POST', path, body, headers)
const gauge = async (node: NodeProcess, name: string): Promise<string | undefined> =>
  new RegExp(`^${name}(?:{.*})? (.*)$`, 'm').exec(await (await fetch(`${node.url}/metrics`)).text())?.[1]

describe.skipIf(!mayMount())('a disk that is low', () => {
  let disks: SmallDisks
  let cluster: ProcessCluster
  beforeAll(async () => {
    disks = await startOnSmallDisks([`storage.disk_low_bytes=${LOW_BYTES}`])
    cluster = disks.cluster
  })
  afterAll(() => disks.stop())

  test('of the leader: others lead, and nobody is refused for long; of everybody: locks are kept, let go, and not given', async () => {
    const load = startLoad(cluster.nodes, 'low')
    await load.nextGrant()
    const leader = await cluster.lockLeader()
    await fill(leader, LEFT_BYTES)
    await expect.poll(async () => (await cluster.lockLeader()).id, { timeout: 20_000 }).not.toBe(leader.id)
    await load.nextGrant()
    expect(await gauge(leader, 'tricord_disk_low')).toBe('1')
    await load.stop()

    const wish = { owner: 'keeper', leaseMs: 600_000 }
    const [kept, given] = [await post(leader, '/locks/kept/acquire', wish), await post(leader, '/locks/given/acquire', wish)]
    const session = await post(leader, '/v1/sessions', { ttlMs: 600_000 })
    for (const node of cluster.nodes) if (node !== leader) await fill(node, LEFT_BYTES)
    for (const node of cluster.nodes) await expect.poll(() => gauge(node, 'tricord_disk_low'), { timeout: 20_000 }).toBe('1')
    const asked = (): Promise<Answer> => post(leader, '/locks/new/acquire', { leaseMs: 1_000 })
    await expect
      .poll(asked, { timeout: 20_000, interval: 200 })
      .toMatchObject({ status: 507, body: { code: 'DISK_LOW', outcome: 'not-applied', retryable: true } })
    expect(await post(leader, '/v1/sessions', {})).toMatchObject({ status: 507, body: { code: 'DISK_LOW' } })

    expect(await post(leader, '/locks/kept/renew', { grantId: kept.body['grantId'], leaseMs: 60_000 })).toMatchObject({ status: 200 })
    expect(await post(leader, '/locks/given/release', { grantId: given.body['grantId'] })).toMatchObject({ status: 200 })
    const keepalive = `/v1/sessions/${encodeURIComponent(String(session.body['session']))}/keepalive`
    expect(await post(leader, keepalive, {})).toMatchObject({ status: 200 })
    for (const node of cluster.nodes) {
      expect((await call(node.url, 'GET', '/locks/kept/status')).body).toMatchObject({ holders: [{ token: kept.body['token'] }] })
      expect((await call(node.url, 'GET', '/locks/given/status')).body).toMatchObject({ state: 'free' })
      expect(await gauge(node, 'tricord_disk_full')).toBe('0')
    }

    const pids = cluster.nodes.map(({ pid }) => pid)
    for (const node of cluster.nodes) await free(node)
    await expect.poll(async () => (await asked()).status, { timeout: 20_000, interval: 200 }).toBe(200)
    const after = startLoad(cluster.nodes, 'after')
    await after.nextGrant()
    await after.stop()
    expect([load.history.violations(), after.history.violations()]).toEqual([[], []])
    expect(cluster.nodes.map(({ pid }) => pid)).toEqual(pids)
    for (const node of cluster.nodes) expect(node.stderr).toContain('the disk is almost full')
  }, 120_000)
})
