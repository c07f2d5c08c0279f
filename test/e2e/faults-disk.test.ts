/** What a disk does to one node: a torn tail, a flipped bit, no space. The cluster loses nothing that it has answered. */
import { open, readFile, readdir, rename, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startLoad } from './load.ts'
import { type Answer, type NodeProcess, type ProcessCluster, call, startProcesses } from './processes.ts'
import { type SmallDisks, fill, free, mayMount, startOnSmallDisks } from './small-disk.ts'

interface Log {
  readonly path: string
  readonly bytes: Buffer
  /** Behind its last record: segments are allocated ahead, with zeros, and the last number of a marker ends in up to three. */
  readonly end: number
}

/** The newest segment of the node's write-ahead log. */
async function newestLog(node: NodeProcess): Promise<Log> {
  const directory = join(node.data, 'wal')
  const name = (await readdir(directory))
    .filter((file) => file.endsWith('.wal'))
    .toSorted()
    .at(-1)
  const path = join(directory, name ?? '')
  const bytes = await readFile(path)
  return { path, bytes, end: bytes.findLastIndex((byte) => byte !== 0) + 1 + 3 }
}

async function patch(path: string, at: number, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'r+')
  await file.write(bytes, 0, bytes.length, at)
  await file.close()
}

const epochOf = async (by: NodeProcess): Promise<number> => (await call(by.url, 'GET', '/cluster/status')).body['epoch'] as number

async function healthy(by: NodeProcess): Promise<boolean> {
  const { body } = await call(by.url, 'GET', '/cluster/status')
  const groups = body['groups'] as readonly { leader: string | null; replicas: readonly string[] }[]
  return body['quorum'] === true && groups.every(({ replicas }) => replicas.length === 3)
}

/** Locks that are held from here on: what must be found again. */
async function hold(node: NodeProcess, prefix: string, count: number): Promise<Map<string, unknown>> {
  const tokens = new Map<string, unknown>()
  for (let i = 0; i < count; i++) {
    const { status, body } = await call(node.url, 'POST', `/locks/${prefix}-${i}/acquire`, { owner: prefix, leaseMs: 600_000 })
    expect(status).toBe(200)
    tokens.set(`${prefix}-${i}`, body['token'])
  }
  return tokens
}

async function expectHeld(node: NodeProcess, tokens: ReadonlyMap<string, unknown>): Promise<void> {
  for (const [name, token] of tokens)
    expect((await call(node.url, 'GET', `/locks/${name}/status`)).body).toMatchObject({ holders: [{ token }] })
}

describe('the log of a node', () => {
  let cluster: ProcessCluster
  beforeAll(async () => {
    cluster = await startProcesses({ sets: ['cluster.partitions=8'] })
  })
  afterAll(() => cluster.stop())

  /** A node that is killed under load; then `damage` is done to its log. */
  async function killAndDamage(label: string, damage: (log: Log) => Promise<void>): Promise<NodeProcess> {
    const load = startLoad(cluster.nodes, label)
    await load.nextGrant()
    const node = cluster.node('n3')
    await node.kill()
    await damage(await newestLog(node))
    await load.nextGrant()
    await load.stop()
    expect(load.history.violations()).toEqual([])
    return node
  }

  test.each([
    // Half of a batch that was never acknowledged: the beginning of a copy of earlier records.
    ['with half of a batch behind it', false, ({ path, bytes, end }: Log) => patch(path, end, bytes.subarray(end - 300, end - 20))],
    // Of what was acknowledged, if the disk lied about it: the others have it. A leader that still knows of it shows it to the
    // replica, which is then made anew; where another leads by now, it is filled up like any that was away.
    ['without the end of its last batch', true, ({ path, end }: Log) => patch(path, end - 12, Buffer.alloc(12))],
  ])(
    'a torn tail, %s, is cut: the node serves, and what was answered is there',
    async (how, acknowledged, damage) => {
      const name = `torn-${how.length}`
      const tokens = await hold(cluster.node('n3'), name, 20)
      const node = await killAndDamage(name, damage)
      await node.start()
      // Two pipes: what was said first may be read last.
      await expect.poll(() => node.stderr).toContain('torn tail cut at')
      await expectHeld(node, tokens)
      await expect.poll(() => healthy(node), { timeout: 60_000 }).toBe(true)
      if (!acknowledged) expect(node.stderr).not.toContain('damaged')
    },
    120_000,
  )

  test('a flipped bit in the middle: the node says so, and is repaired from the others', async () => {
    const tokens = await hold(cluster.node('n1'), 'flipped', 40)
    const epoch = await epochOf(cluster.node('n1'))
    const node = await killAndDamage('flipped', async ({ path, bytes, end }) => {
      const at = end >>> 1
      await patch(path, at, Uint8Array.of((bytes[at] ?? 0) ^ 16))
    })
    await node.start()
    await expect.poll(() => node.stderr, { timeout: 20_000 }).toContain('replicas are damaged or lost')
    // The table names a new life of the damaged replicas, and only that counts from then on.
    await expect.poll(() => epochOf(node), { timeout: 20_000 }).toBeGreaterThan(epoch)
    await expect.poll(() => healthy(node), { timeout: 60_000 }).toBe(true)
    // One of those that repaired it goes: a majority needs what n3 was given.
    await cluster.node('n1').kill()
    await expectHeld(node, tokens)
    await cluster.node('n1').start()
  }, 180_000)
})

describe('the key-value store of a node', () => {
  const sets = ['storage.engine=leveldb', 'cluster.partitions=8', 'consensus.checkpoint_interval_ms=50']

  /** Files of the store whose names match, once there are any. */
  async function files(node: NodeProcess, name: RegExp): Promise<string[]> {
    const directory = join(node.data, 'state')
    return (await readdir(directory)).filter((file) => name.test(file)).map((file) => join(directory, file))
  }

  /** Started twice, what the engine had in its own log is in a table. */
  async function restart(node: NodeProcess): Promise<void> {
    await node.kill()
    await node.start()
  }

  const DAMAGES = [
    ['a manifest that rotted', /^MANIFEST/, (path: string) => patch(path, 20, Buffer.alloc(40, 0x5a))],
    ['tables that end too early', /\.ldb$/, (path: string) => truncate(path, 1_000)],
    ['a table that is gone', /\.ldb$/, (path: string) => rm(path)],
  ] as const

  describe('of three', () => {
    let cluster: ProcessCluster
    beforeAll(async () => {
      cluster = await startProcesses({ sets })
    })
    afterAll(() => cluster.stop())

    test.each(DAMAGES)(
      'damaged (%s): it says so, sets it aside, and is repaired from the others',
      async (how, name, damage) => {
        const label = `store-${how.length}`
        const tokens = await hold(cluster.node('n1'), label, 40)
        const node = cluster.node('n3')
        await restart(node)
        await expect.poll(() => healthy(node), { timeout: 60_000 }).toBe(true)
        await expect.poll(async () => (await files(node, name)).length, { timeout: 20_000 }).toBeGreaterThan(0)
        const epoch = await epochOf(cluster.node('n1'))
        await node.kill()
        for (const path of await files(node, name)) await damage(path)
        await node.start()
        await expect.poll(() => node.stderr).toMatch(/the key-value store is damaged: .*set aside/)
        expect((await readdir(node.data)).some((file) => file.startsWith('state.damaged-'))).toBe(true)
        await expect.poll(() => epochOf(node), { timeout: 30_000 }).toBeGreaterThan(epoch)
        await expect.poll(() => healthy(node), { timeout: 60_000 }).toBe(true)
        // A majority without n1 needs what n3 was given.
        await cluster.node('n1').kill()
        await expectHeld(node, tokens)
        await cluster.node('n1').start()
        await expect.poll(() => healthy(node), { timeout: 60_000 }).toBe(true)
      },
      240_000,
    )
  })

  test('of the only node, damaged: it does not start, and nothing is lost once the store is repaired', async () => {
    const cluster = await startProcesses({ count: 1, sets })
    try {
      const [node] = cluster.nodes as readonly [NodeProcess]
      const tokens = await hold(node, 'only', 20)
      await node.kill()
      const [manifest = ''] = await files(node, /^MANIFEST/)
      await rename(manifest, `${node.data}/kept`)
      for (let attempt = 0; attempt < 2; attempt++) {
        expect(await node.refusal()).toMatchObject({ code: 74, stderr: expect.stringMatching(/only copy of .*locks.*does not start/) })
      }
      await rename(`${node.data}/kept`, manifest)
      await node.start()
      await expectHeld(node, tokens)
    } finally {
      await cluster.stop()
    }
  }, 120_000)
})

describe.skipIf(!mayMount())('a full disk', () => {
  let disks: SmallDisks
  let cluster: ProcessCluster
  beforeAll(async () => {
    // No mark: what happens when it comes to the end.
    disks = await startOnSmallDisks(['storage.disk_low_bytes=0'])
    cluster = disks.cluster
  })
  afterAll(() => disks.stop())

  test('of the leader: it gives the lead away, and the others go on', async () => {
    const leader = await cluster.lockLeader()
    await fill(leader)
    const held = new Map<string, unknown>()
    for (let i = 0; (await cluster.lockLeader()) === leader; i += 64) await take(leader, `one-${i}`, held)
    for (let i = 0; i < 3; i++) expect(await take(leader, `after-${i}`, held)).toBeNull()
    await free(leader)
    await leader.kill()
    await leader.start()
    await expectHeld(leader, new Map([...held].slice(-100)))
  }, 240_000)

  test('of everybody: a clear error, nothing acknowledged is lost, and it works again when there is space', async () => {
    const held = new Map<string, unknown>()
    const leader = await cluster.lockLeader()
    for (const node of cluster.nodes) await fill(node)
    // What is allocated ahead takes some more; then nobody may say yes.
    let refused: Answer | null = null
    for (let i = 0; refused === null; i += 64) refused = await take(leader, `all-${i}`, held)
    expect(refused.body).toMatchObject({ code: expect.stringMatching(/^(DISK_LOW|UNKNOWN_OUTCOME|NO_QUORUM)$/), retryable: true })
    await expect
      .poll(() => call(leader.url, 'POST', '/locks/again/acquire', {}), { timeout: 30_000 })
      .toMatchObject({ status: 507, body: { code: 'DISK_LOW', outcome: 'not-applied' } })
    const other = cluster.nodes.find((node) => node !== leader) as NodeProcess
    await other.kill()
    expect(await other.refusal()).toMatchObject({ code: 75, stderr: expect.stringContaining('no space left on the disk') })
    for (const node of cluster.nodes) await free(node)
    await other.start()
    await expect
      .poll(async () => (await call(leader.url, 'POST', '/locks/again/acquire', { leaseMs: 1_000 })).status, { timeout: 30_000 })
      .toBe(200)
    for (const node of cluster.nodes) await node.kill()
    await Promise.all(cluster.nodes.map((node) => node.start()))
    await expectHeld(leader, held)
  }, 240_000)
})

/** 64 locks at once; those that were granted are noted. Resolves with the first refusal, if any. */
async function take(node: NodeProcess, prefix: string, held: Map<string, unknown>): Promise<Answer | null> {
  const wish = { owner: 'o', metadata: { note: 'x'.repeat(900) }, leaseMs: 600_000 }
  const names = Array.from({ length: 64 }, (_, at) => `${prefix}-${at}`)
  const answers = await Promise.all(names.map((name) => call(node.url, 'POST', `/locks/${name}/acquire`, wish)))
  for (const [at, { status, body }] of answers.entries()) if (status === 200) held.set(names[at] ?? '', body['token'])
  return answers.find(({ status }) => status !== 200) ?? null
}
