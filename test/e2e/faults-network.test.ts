/** A node that is stopped for long, or cut off from NATS, under load: the others go on, it comes back, nothing is lost. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startLoad } from './load.ts'
import { type NodeProcess, call } from './processes.ts'
import { type WiredCluster, startWired } from './wired-processes.ts'

const STOPPED_MS = 10_000

let cluster: WiredCluster
beforeAll(async () => {
  cluster = await startWired(['cluster.partitions=8'])
})
afterAll(() => cluster.stop())

const pass = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Resolves once a lock can be taken and let go through this very node. */
async function serves(node: NodeProcess, name: string): Promise<void> {
  for (;;) {
    const taken = await call(node.url, 'POST', `/locks/${name}/acquire`, { leaseMs: 1_000, waitMs: 2_000 })
    if (taken.status !== 200) continue
    const freed = await call(node.url, 'POST', `/locks/${name}/release`, { grantId: taken.body['grantId'] })
    if (freed.status === 200) return
  }
}

test(`SIGSTOP of the leader for ${STOPPED_MS / 1_000} s: another leads meanwhile, the old one has no say when it wakes`, async () => {
  const load = startLoad(cluster.nodes, 'stop')
  await load.nextGrant()
  const leader = await cluster.lockLeader()
  const next = load.nextGrant()
  const began = performance.now()
  leader.pause()
  console.log(`next grant ${Math.round((await next) - began)} ms after SIGSTOP`)
  await pass(STOPPED_MS - (performance.now() - began))
  const grants = load.history.holds.length
  leader.resume()
  await serves(leader, 'awake')
  await load.nextGrant()
  await load.stop()
  expect(load.history.violations()).toEqual([])
  expect(load.history.holds.length).toBeGreaterThan(grants)
}, 120_000)

describe('cut off from NATS', () => {
  test.each([
    ['leader', 'silent'],
    ['leader', 'closed'],
    ['follower', 'silent'],
    ['follower', 'closed'],
  ] as const)(
    'the %s (%s): the others go on; healed, it serves again',
    async (role, how) => {
      const load = startLoad(cluster.nodes, `${how}-${role}`)
      await load.nextGrant()
      const leader = await cluster.lockLeader()
      const node = role === 'leader' ? leader : (cluster.nodes.find((one) => one !== leader) as NodeProcess)
      const rest = cluster.nodes.filter((one) => one !== node) as [NodeProcess, NodeProcess]
      const next = load.nextGrant()
      const cutAt = performance.now()
      cluster.wireOf(node).cut(how)
      const nextMs = Math.round((await next) - cutAt)
      await expect
        .poll(async () => JSON.stringify((await call(rest[0].url, 'GET', '/cluster/status')).body['nodes']), { timeout: 20_000 })
        .toContain(`{"id":"${node.id}","state":"down"`)
      // It cannot know what is true, and says so: once it has waited, so one of these is enough.
      if (role === 'leader' && how === 'silent') {
        const alone = await call(node.url, 'GET', '/locks/red/status')
        expect(alone).toMatchObject({ status: 503, body: { code: 'NO_QUORUM', outcome: 'not-applied' } })
      }
      const healedAt = performance.now()
      cluster.wireOf(node).heal()
      await serves(node, `healed-${how}-${role}`)
      console.log(
        `${role} cut (${how}): next grant after ${nextMs} ms; serves ${Math.round(performance.now() - healedAt)} ms after healing`,
      )
      await load.stop()
      expect(load.history.violations()).toEqual([])
    },
    120_000,
  )
})
