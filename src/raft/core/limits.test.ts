/** The limits of the core, and what each role refuses: rules of our own contract, which the paper leaves open. */
import { describe, expect, test } from 'vitest'
import { bytes, core, led, settle } from '../../../test/scenarios/fixtures.ts'
import { blankDisk } from '../../../test/scenarios/replica.ts'

describe('limits', () => {
  test('proposals beyond the uncommitted bytes are refused until some are committed', () => {
    const { world, leader } = led(3, { uncommittedBytesMax: 100 })
    expect(leader.core.propose(new Uint8Array(500)).ok).toBe(true)
    expect(leader.core.propose(bytes('x'))).toEqual({ ok: false, reason: 'uncommitted-limit' })
    settle(world)
    expect(leader.core.propose(bytes('x')).ok).toBe(true)
  })

  test('all proposals of a turn go in one append per follower', () => {
    const { world, leader } = led(3)
    for (let i = 0; i < 100; i++) leader.core.propose(bytes(`${i}`))
    world.ready(leader)
    expect(world.network.map(({ message }) => message.type)).toEqual(['append_entries', 'append_entries'])
  })

  test('no more is in flight to a follower than its window holds', () => {
    const { world, leader } = led(3, { appendBytesMax: 1, inflightMessagesMax: 4 })
    for (let i = 0; i < 100; i++) leader.core.propose(bytes(`${i}`))
    world.ready(leader)
    expect(world.network).toHaveLength(8)
    settle(world)
    expect(world.replica(2).history).toHaveLength(101)
  })

  test('options out of range are refused at once', () => {
    expect(() => core({}, { electionTicks: 1 })).toThrow('elections must be slower')
    expect(() => core({}, { appendBytesMax: 0 })).toThrow('positive')
    expect(() => core({}, { inflightMessagesMax: 0 })).toThrow('needs room')
  })
})

describe('roles', () => {
  test('who is no leader refuses what only a leader can do', () => {
    const raft = core()
    expect(raft.propose(bytes('x'))).toEqual({ ok: false, reason: 'not-leader' })
    expect(raft.proposeMembership({ voters: [1], learners: [] })).toEqual({ ok: false, reason: 'not-leader' })
    expect(raft.transferLeadership(2)).toBe(false)
    expect(raft.readIndex(1)).toBe(false)
  })

  test('leadership is not handed to a learner, a stranger, or itself', () => {
    const { world, leader } = led(2)
    world.add(3, blankDisk(null))
    leader.core.proposeMembership({ voters: [1, 2], learners: [3] })
    settle(world)
    expect([3, 9, 1].map((id) => leader.core.transferLeadership(id))).toEqual([false, false, false])
  })

  test('a recovered replica knows its membership from the log that it had applied', () => {
    const { world, leader } = led(3)
    leader.core.proposeMembership({ voters: [1, 2, 3], learners: [9] })
    settle(world)
    leader.disk.history = [...leader.history]
    leader.crash(0, true)
    leader.restart()
    expect(leader.core.appliedMembership.learners).toEqual([9])
  })

  test('the status tells what a reader needs', () => {
    const { leader } = led(3)
    expect(leader.core.status()).toMatchObject({
      role: 'leader',
      term: 1,
      vote: 1,
      leader: 1,
      commit: 1,
      applied: 1,
      durable: 1,
      first: 1,
      last: 1,
    })
    expect(leader.core.status().progress).toEqual(
      [1, 2, 3].map((replica) => ({ replica, match: 1, next: 2, state: 'replicate', active: true, learner: false })),
    )
  })
})
