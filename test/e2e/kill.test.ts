/**
 * kill -9 of the lock leader under load, again and again: clients on all nodes take and release a few locks, retrying what
 * they do not know under the same Idempotency-Key. KILLS=20 for the long run.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { History, type Hold } from './history.ts'
import { type Answer, type ProcessCluster, call, startProcesses } from './processes.ts'

const KILLS = Number(process.env['KILLS'] ?? 4)
const CLIENTS = 6
const NAMES = ['red', 'green', 'blue']
const LEASE_MS = 60_000

let cluster: ProcessCluster
beforeAll(async () => {
  cluster = await startProcesses({ sets: ['cluster.partitions=8'] })
})
afterAll(() => cluster.stop())

/** Repeats a call under its key, from node to node, until somebody answers for sure. */
async function surely(first: number, path: string, body: unknown, key: string): Promise<Answer> {
  for (let attempt = 0; ; attempt++) {
    const node = cluster.nodes[(first + attempt) % cluster.nodes.length]
    try {
      const answer = await call(node?.url ?? '', 'POST', path, body, { 'idempotency-key': key })
      if (answer.body['outcome'] !== 'unknown' && answer.status !== 503) return answer
    } catch {
      // No answer at all: the node is gone. Give the dial of a dead node no chance to spin.
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

interface Load {
  readonly history: History
  /** Resolves with the time of the next grant that is asked for from now on. */
  nextGrant(): Promise<number>
  stop(): Promise<void>
}

function startLoad(): Load {
  const history = new History()
  let running = true
  let waiters: { since: number; resolve: (at: number) => void }[] = []
  const client = async (id: number): Promise<void> => {
    for (let round = 0; running; round++) {
      const name = NAMES[(id + round) % NAMES.length] ?? ''
      const askedAt = performance.now()
      const granted = await surely(id, `/locks/${name}/acquire`, { owner: `c${id}`, leaseMs: LEASE_MS, waitMs: 20_000 }, `a-${id}-${round}`)
      if (granted.status !== 200) continue
      const heldFrom = performance.now()
      const hold: Hold = { name, token: granted.body['token'] as number, client: `c${id}`, askedAt, heldFrom, releasedAt: Infinity }
      history.holds.push(hold)
      waiters = waiters.filter(({ since, resolve }) => askedAt < since || void resolve(heldFrom))
      hold.releasedAt = performance.now()
      const released = await surely(id, `/locks/${name}/release`, { grantId: granted.body['grantId'] }, `r-${id}-${round}`)
      expect(released.status, JSON.stringify(released.body)).toBe(200)
    }
  }
  const clients = Promise.all(Array.from({ length: CLIENTS }, (_, id) => client(id)))
  return {
    history,
    nextGrant: () => new Promise((resolve) => waiters.push({ since: performance.now(), resolve })),
    async stop() {
      running = false
      await clients
    },
  }
}

test('no acknowledged grant is lost, nobody holds beside another, tokens rise', async () => {
  const load = startLoad()
  const gaps: number[] = []
  for (let kill = 0; kill < KILLS; kill++) {
    await load.nextGrant()
    const leader = await cluster.lockLeader()
    const next = load.nextGrant()
    const killedAt = performance.now()
    await leader.kill()
    gaps.push(Math.round((await next) - killedAt))
    await leader.start()
  }
  await load.stop()
  gaps.sort((a, b) => a - b)
  console.log(
    `${KILLS} kills, ${load.history.holds.length} grants; ms from a kill to the next grant: median ${gaps[gaps.length >> 1]}, all ${gaps.join(' ')}`,
  )
  expect(load.history.violations()).toEqual([])
  expect(load.history.holds.length).toBeGreaterThan(KILLS)
  for (const name of NAMES) {
    const status = await call(cluster.nodes[0]?.url ?? '', 'GET', `/locks/${name}/status`)
    expect(status.body).toMatchObject({ state: 'free', queueLength: 0 })
  }
}, 600_000)

test('the checker sees what it must', () => {
  const hold = (token: number, heldFrom: number, releasedAt: number): Hold => ({
    name: 'x',
    token,
    client: `c${token}`,
    askedAt: heldFrom - 1,
    heldFrom,
    releasedAt,
  })
  const check = (...holds: Hold[]): number => {
    const history = new History()
    history.holds.push(...holds)
    return history.violations().length
  }
  expect(check(hold(1, 0, 5), hold(2, 6, 9))).toBe(0)
  expect(check(hold(1, 0, 7), hold(2, 6, 9))).toBe(1)
  expect(check(hold(1, 0, 5), hold(1, 6, 9))).toBe(1)
  expect(check(hold(2, 0, 5), hold(1, 6, 9))).toBeGreaterThan(0)
})
