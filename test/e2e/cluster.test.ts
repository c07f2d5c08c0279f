/** Three real processes over a real NATS server and real disks: the main job, and the faults it must survive. */
import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, NodeProcess, type ProcessCluster, call, startProcesses } from './processes.ts'

let cluster: ProcessCluster
beforeAll(async () => {
  cluster = await startProcesses()
})
afterAll(() => cluster.stop())

const url = (id: string) => cluster.node(id).url
const lock = (id: string, name: string, verb: string, body: unknown, headers = {}): Promise<Answer> =>
  call(url(id), 'POST', `/locks/${encodeURIComponent(name)}/${verb}`, body, headers)
const status = (id: string, name: string): Promise<Answer> => call(url(id), 'GET', `/locks/${encodeURIComponent(name)}/status`)

describe('a cluster of processes', () => {
  test('a lock taken on any node is held on every node; release by its holder frees it', async () => {
    const taken = await lock('n2', 'main/job', 'acquire', { owner: 'job-9' })
    expect(taken).toMatchObject({ status: 200, body: { acquired: true, name: 'main/job', mode: 'exclusive', owner: 'job-9', count: 1 } })
    for (const id of ['n1', 'n2', 'n3']) {
      expect((await status(id, 'main/job')).body).toMatchObject({ state: 'held', mode: 'exclusive', holders: [{ owner: 'job-9' }] })
      expect(await lock(id, 'main/job', 'acquire', { owner: `other-${id}` })).toMatchObject({
        status: 423,
        body: { code: 'LOCK_HELD', retryable: true },
      })
    }
    const { grantId } = taken.body
    expect(await lock('n3', 'main/job', 'renew', { grantId, leaseMs: 60_000 })).toMatchObject({
      status: 200,
      body: { remainingMs: 60_000 },
    })
    expect(await lock('n1', 'main/job', 'release', { grantId })).toMatchObject({ status: 200, body: { released: true, count: 0 } })
    expect(await lock('n1', 'main/job', 'release', { grantId })).toMatchObject({ status: 410, body: { code: 'LEASE_EXPIRED' } })
    expect((await status('n2', 'main/job')).body).toMatchObject({ state: 'free', holders: [] })
  })

  test('the lock, its waiter and the tokens survive kill -9 of the leader; it comes back and catches up', async () => {
    const held = await lock('n1', 'kill/held', 'acquire', { owner: 'first', leaseMs: 120_000 })
    expect(held.status).toBe(200)
    const leader = await cluster.lockLeader()
    const others = cluster.nodes.filter((node) => node !== leader)
    const [near, far] = others as [(typeof others)[0], (typeof others)[0]]
    const waiting = lock(near.id, 'kill/held', 'acquire', { owner: 'second', waitMs: 25_000, leaseMs: 60_000 })
    await expect.poll(async () => (await status(far.id, 'kill/held')).body['queueLength']).toBe(1)
    await leader.kill()
    const after = await status(far.id, 'kill/held')
    expect(after.body).toMatchObject({ state: 'held', holders: [{ owner: 'first', grantId: held.body['grantId'] }], queueLength: 1 })
    expect((await lock(far.id, 'kill/held', 'release', { grantId: held.body['grantId'] })).status).toBe(200)
    const granted = await waiting
    expect(granted).toMatchObject({ status: 200, body: { acquired: true, owner: 'second' } })
    expect(granted.body['token'] as number).toBeGreaterThan(held.body['token'] as number)
    await leader.start()
    expect((await status(leader.id, 'kill/held')).body).toMatchObject({ state: 'held', holders: [{ owner: 'second' }] })
  })

  test('the metrics tell of the gateway’s thread too; no name twice', async () => {
    const text = await (await fetch(`${url('n1')}/metrics`)).text()
    for (const name of ['tricord_mailbox_length', 'tricord_gateway_mailbox_length', 'tricord_gateway_dead_letters_total']) {
      expect(text).toMatch(new RegExp(`^${name}\\{`, 'm'))
    }
    const names = Array.from(text.matchAll(/^# TYPE (\S+) /gm), ([, name]) => name)
    expect(names).toEqual([...new Set(names)])
    const latency = (which: string) => Number(new RegExp(`^consensus_commit_latency_seconds_${which}.* (\\d+)$`, 'm').exec(text)?.[1])
    expect(latency('bucket\\{le="\\+Inf"')).toBe(latency('count'))
  })

  test('an Idempotency-Key is answered once, on any node', async () => {
    const headers = { 'idempotency-key': 'e2e-1' }
    const first = await lock('n1', 'once', 'acquire', { owner: 'o' }, headers)
    const again = await lock('n3', 'once', 'acquire', { owner: 'o' }, headers)
    expect(again.body).toMatchObject({ acquired: true, grantId: first.body['grantId'], token: first.body['token'] })
    expect(await lock('n2', 'once', 'acquire', { owner: 'p' }, headers)).toMatchObject({
      status: 422,
      body: { code: 'IDEMPOTENCY_KEY_REUSED' },
    })
  })

  test('a long wait is answered 202, and any node tells what became of it, though the one that took it is gone', async () => {
    const held = await lock('n1', 'long', 'acquire', { owner: 'first', leaseMs: 120_000 })
    const wish = { owner: 'second', waitMs: 55_000, leaseMs: 60_000 }
    const [named, nameless] = await Promise.all([
      lock('n2', 'long', 'acquire', wish, { 'idempotency-key': 'long/1' }),
      call(url('n2'), 'POST', '/locks/long/acquire', wish),
    ])
    for (const answer of [named, nameless]) expect(answer).toMatchObject({ status: 202, body: { state: 'waiting' } })
    const ask = (id: string, of: Answer) => call(url(id), 'GET', `/v1/requests/${encodeURIComponent(String(of.body['id']))}`)
    expect(await ask('n1', named)).toMatchObject({ status: 202, body: { state: 'waiting', id: 'long/1' } })
    await cluster.node('n2').kill()
    expect((await lock('n3', 'long', 'release', { grantId: held.body['grantId'] })).status).toBe(200)
    await expect.poll(async () => (await ask('n3', named)).status).toBe(200)
    const granted = (await ask('n3', named)).body
    expect(granted).toMatchObject({ acquired: true, owner: 'second' })
    expect((await lock('n1', 'long', 'acquire', wish, { 'idempotency-key': 'long/1' })).body).toEqual({
      ...granted,
      remainingMs: expect.any(Number),
    })
    const session = { 'tricord-session': granted['session'] as string }
    expect((await lock('n3', 'long', 'release', { grantId: granted['grantId'] }, session)).status).toBe(200)
    await expect.poll(async () => (await ask('n3', nameless)).status).toBe(200)
    await cluster.node('n2').start()
  })

  test('a leader that is stopped for longer than an election and comes back has no say any more', async () => {
    const leader = await cluster.lockLeader()
    const other = cluster.nodes.find((node) => node !== leader)
    if (!other) throw new Error('three nodes')
    leader.pause()
    const during = await lock(other.id, 'paused', 'acquire', { owner: 'during', leaseMs: 60_000 })
    expect(during.status).toBe(200)
    leader.resume()
    expect((await status(leader.id, 'paused')).body).toMatchObject({ holders: [{ owner: 'during' }] })
    expect(await lock(leader.id, 'paused', 'acquire', { owner: 'late' })).toMatchObject({ status: 423 })
  })

  test('the NATS server is killed and comes back', async () => {
    await cluster.nats.signal('SIGKILL')
    await cluster.nats.restart()
    const taken = await lock('n2', 'after/nats', 'acquire', { owner: 'o' })
    expect(taken.status).toBe(200)
  })

  test('all three are killed and come back from their disks', async () => {
    const held = await lock('n1', 'disk', 'acquire', { owner: 'keeper', leaseMs: 120_000 })
    await Promise.all(cluster.nodes.map((node) => node.kill()))
    await Promise.all(cluster.nodes.map((node) => node.start()))
    expect((await status('n3', 'disk')).body).toMatchObject({ state: 'held', holders: [{ owner: 'keeper', token: held.body['token'] }] })
    const next = await lock('n1', 'disk/next', 'acquire', {})
    expect(next.body['token'] as number).toBeGreaterThan(held.body['token'] as number)
  })

  test('SIGTERM stops a node with exit code 0, and its leadership was handed over', async () => {
    const leader = await cluster.lockLeader()
    expect(await leader.kill('SIGTERM')).toBe(0)
    const other = cluster.nodes.find((node) => node !== leader)
    expect(await lock(other?.id ?? '', 'after/term', 'acquire', {})).toMatchObject({ status: 200 })
    await leader.start()
  })

  test('another node’s data, a used directory and an emptied disk are refused with the way out', async () => {
    const [n1, n2] = [cluster.node('n1'), cluster.node('n2')]
    await n2.kill()
    const start = (data: string) => cluster.another('n2', [], data).refusal()
    const foreign = await start(n1.data)
    expect(foreign).toMatchObject({ code: 2 })
    expect(foreign.stderr).toMatch(/in use by process/)
    const emptied = await start(`${cluster.root}/emptied`)
    expect(emptied).toMatchObject({ code: 2 })
    expect(emptied.stderr).toMatch(/knows n2 with another disk/)
    await n1.kill()
    const others = await start(n1.data)
    expect(others).toMatchObject({ code: 2 })
    expect(others.stderr).toMatch(/belongs to node n1, not n2/)
    await Promise.all([n1.start(), n2.start()])
  })

  test('wrong configuration and no NATS end with their exit codes', async () => {
    const run = (...sets: string[]) =>
      new NodeProcess(
        'x',
        '',
        sets.flatMap((set) => ['--set', set]),
      ).launch()
    const wrong = await run('http.prot=1')
    expect(wrong).toMatchObject({ code: 2 })
    expect(wrong.stderr).toMatch(/did you mean http\.port\?/)
    await writeFile(`${cluster.root}/bad.yaml`, 'consensus:\n  election_timeout_ms: 5\n')
    const file = await new NodeProcess('x', '', ['--config', `${cluster.root}/bad.yaml`]).launch()
    expect(file).toMatchObject({ code: 2 })
    const alone = await run('nats.servers=nats://127.0.0.1:9', `storage.data_directory=${cluster.root}/alone`)
    expect(alone).toMatchObject({ code: 75 })
    expect(alone.stderr).toMatch(/no NATS server at/)
  })
})
