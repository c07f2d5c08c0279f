/** Messages to the Raft host that no host would send: none of them stops the process, and the group goes on. */
import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { GROUP, RaftCluster } from '../../../test/raft-cluster.ts'
import { type Plain, actorId } from '../../actors/envelope.ts'
import { replicaId } from '../../base/ids.ts'

let cluster: RaftCluster
afterEach(async () => {
  await cluster.close()
})

const REPLICAS = [1, 2, 3].map((member) => replicaId(member, 0))
const anything = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Plain>
const bytes: fc.Arbitrary<Plain> = fc.uint8Array({ maxLength: 40 })
const group = fc.constantFrom<Plain>(GROUP, GROUP, GROUP, 0, 99)
const replica = fc.constantFrom<Plain>(...REPLICAS, 0, 77)
const term = fc.constantFrom<Plain>(0, 1, 2, 3, 4, 5, 6, 1_000_000)
const count = fc.constantFrom<Plain>(0, 1, 2, 3, 5, 1_000, Number.MAX_SAFE_INTEGER)
const flag = fc.constantFrom<Plain>(0, 1)
const entries = fc.array(fc.tuple(term, fc.constantFrom<Plain>(0, 1, 2, 3), bytes), { maxLength: 3 }).map((list) => list.flat() as Plain)

/** A tuple of each kind with members of the right sort, or something else altogether. */
const MESSAGES: Readonly<Record<string, fc.Arbitrary<readonly Plain[]>>> = {
  request_vote: fc.tuple(group, replica, replica, term, flag, count, count, flag),
  vote_response: fc.tuple(group, replica, replica, term, flag, flag, count, count),
  append_entries: fc.tuple(group, replica, replica, term, count, count, count, entries),
  append_response: fc.tuple(group, replica, replica, term, count, flag, count, count),
  timeout_now: fc.tuple(group, replica, replica, term),
  read_index: fc.tuple(group, replica, replica, term, count),
  read_index_response: fc.tuple(group, replica, replica, term, count, count, flag),
  heartbeat: fc.tuple(group, replica, replica, term, count, count, flag),
  heartbeat_response: fc.tuple(group, replica, replica, term, count, flag),
  propose: fc.tuple(group, count, count, count, flag, flag, fc.constantFrom<Plain>([], ['00-1'], [1]), bytes),
  query: fc.tuple(group, count, flag, flag, fc.constantFrom<Plain>('', 'k'), fc.constantFrom<Plain>('sum', 'k', 5, null)),
  snapshot_chunk: fc.tuple(group, replica, term, count, count, bytes, flag) as fc.Arbitrary<readonly Plain[]>,
  snapshot_chunk_response: fc.tuple(group, replica, count, count) as fc.Arbitrary<readonly Plain[]>,
  propose_reply: fc.tuple(anything) as fc.Arbitrary<readonly Plain[]>,
  propose_refused: fc.tuple(group, count, count, anything, anything),
  group_leader: fc.tuple(group, count, anything),
}
const message = fc.oneof(
  ...Object.entries(MESSAGES).map(([type, payload]) => fc.tuple(fc.constant(type), payload as fc.Arbitrary<Plain>)),
  fc.tuple(fc.constantFrom(...Object.keys(MESSAGES), 'raft_tick', 'nonsense'), anything),
)

test('in the name of others, of nobody, or no message at all: the group goes on, in its term', async () => {
  cluster = new RaftCluster({ nodes: 4 })
  await cluster.found(3)
  const stranger = cluster.node(4)
  await cluster.do(cluster.node(1), { add: 1 })
  const before = (await cluster.leader()).host.status(GROUP)!.term
  let sent = 0
  for (const [type, payload] of fc.sample(message, { numRuns: 6_000, seed: 7 })) {
    const to = cluster.node(1 + (sent++ % 3))
    const path = /^(propose_|group_)/.test(type) ? 'proposer' : 'raft'
    stranger.system.send(actorId(to.name, path), type, payload)
    if (sent % 50 === 0) await cluster.clock.pass(20)
    expect(cluster.bugs, `${type} ${JSON.stringify(payload)}`).toEqual([])
  }
  await cluster.clock.pass(2_000)
  expect(await cluster.do(cluster.node(2), { add: 1 })).toMatchObject({ ok: true })
  await cluster.converge()
  expect((await cluster.leader()).host.status(GROUP)!.term).toBe(before)
  expect(cluster.bugs).toEqual([])
})
