/**
 * The rules of the paper (Ongaro and Ousterhout, extended version), one test each, by section.
 */
import { describe, expect, test } from 'vitest'
import { append, bytes, core, drain, entry, group, led, settle, vote } from '../../../test/scenarios/fixtures.ts'
import { blankDisk } from '../../../test/scenarios/replica.ts'
import { DEFAULT_OPTIONS, World } from '../../../test/scenarios/world.ts'
import { encodeMembership } from './config-change.ts'
import { createRaft } from './raft.ts'
import { ENTRY_CONFIG, type Entry } from './types.ts'

describe('5.1 terms', () => {
  test('a later term makes anybody a follower', () => {
    const { leader } = led(3)
    leader.core.step({ type: 'append_response', from: 2, to: 1, term: 7, index: 0, reject: true, hintIndex: 0, hintTerm: 0 })
    expect([leader.core.role, leader.core.term, leader.core.leader]).toEqual(['follower', 7, 0])
  })

  test('a request of an earlier term is refused, with the term', () => {
    const raft = core({ term: 3 })
    raft.step(append({ term: 2, entries: [entry(1, 2)] }))
    raft.step(vote(2, 9, 2))
    expect(drain(raft)).toMatchObject([
      { type: 'append_response', term: 3, reject: true },
      { type: 'vote_response', term: 3, granted: false },
    ])
    expect(raft.status().last).toBe(0)
  })

  test('a message for another replica, or another life of it, is not for us', () => {
    const raft = core()
    raft.step({ ...append({ term: 9 }), to: 1025 })
    expect(raft.term).toBe(0)
  })
})

describe('5.2 leader election', () => {
  test('a follower starts as one, and campaigns when it hears nothing, at a time that chance decides', () => {
    for (const chance of [0, 4]) {
      const raft = core({}, { random: () => chance })
      for (let i = 0; i < 5 + chance - 1; i++) raft.tick()
      expect(raft.role).toBe('follower')
      raft.tick()
      expect(raft.role).toBe('precandidate')
    }
  })

  test('heartbeats keep it from it', () => {
    const raft = core({ term: 1 })
    for (let i = 0; i < 50; i++) {
      raft.tick()
      raft.step({ type: 'heartbeat', from: 2, to: 1, term: 1, commit: 0, readSeq: 0, quiesce: false })
    }
    expect(raft.role).toBe('follower')
  })

  test('one vote per term, first come first served', () => {
    const raft = core({ term: 1 })
    raft.step(vote(2, 0, 0, 2))
    raft.step(vote(2, 0, 0, 3))
    raft.step(vote(2, 0, 0, 2))
    expect(drain(raft)).toMatchObject([
      { to: 2, granted: true },
      { to: 3, granted: false },
      { to: 2, granted: true },
    ])
  })

  test('a candidate that hears the leader of its term follows it', () => {
    const raft = core({ term: 1 })
    raft.campaign()
    raft.step(append({ from: 3 }))
    expect([raft.role, raft.leader]).toEqual(['follower', 3])
  })

  test('the first answer of a voter counts', () => {
    const world = group(3)
    const { core: raft } = world.replica(1)
    raft.campaign()
    raft.step({ type: 'vote_response', from: 2, to: 1, term: 0, preVote: true, granted: false, commit: 0, commitTerm: 0 })
    raft.step({ type: 'vote_response', from: 2, to: 1, term: 1, preVote: true, granted: true, commit: 0, commitTerm: 0 })
    expect(raft.role).toBe('precandidate')
  })

  test('the own vote counts once it is durable, and requests leave no earlier (P1)', () => {
    const raft = core()
    raft.campaign()
    raft.ready()
    raft.step({ type: 'vote_response', from: 2, to: 1, term: 1, preVote: true, granted: true, commit: 0, commitTerm: 0 })
    expect(raft.role).toBe('candidate')
    const { messages, append: work } = raft.ready()
    expect(messages).toEqual([])
    expect(work).toMatchObject({ hardState: { term: 1, vote: 1 }, mustSync: true })
    expect(work!.thenSend.map(({ type, to }) => `${type} ${to}`)).toEqual(['request_vote 2', 'request_vote 3', 'vote_response 1'])
    raft.step({ type: 'vote_response', from: 2, to: 1, term: 1, preVote: false, granted: true, commit: 0, commitTerm: 0 })
    expect(raft.role).toBe('candidate')
    raft.appended(work!.ticket)
    raft.step(work!.thenSend[2]!)
    expect(raft.role).toBe('leader')
  })
})

describe('5.3 log replication', () => {
  test('an entry is committed once a majority holds it durably, and then applied', () => {
    const { world, leader } = led(3)
    leader.core.propose(bytes('x'))
    world.ready(leader)
    world.persist(leader)
    expect(leader.core.commit).toBe(1)
    settle(world)
    expect(world.replica(3).history).toEqual(['1/1 noop', '1/2 x'])
  })

  test.each([
    ['has the previous entry', [1, 1, 2], 2, 1, false],
    ['has another in its place', [1, 1, 2], 3, 1, true],
    ['has none', [1, 1, 2], 4, 2, true],
  ])('the consistency check: a follower that %s', (_, log, prevIndex, prevTerm, reject) => {
    const raft = core({ term: 2, log })
    raft.step(append({ term: 3, prevIndex, prevTerm, entries: [entry(prevIndex + 1, 3)] }))
    expect(drain(raft)).toMatchObject([{ type: 'append_response', reject }])
    expect(raft.termAt(prevIndex + 1)).toBe(reject ? ([1, 1, 2][prevIndex] ?? null) : 3)
  })

  test.each([
    ['missing entries', [1, 1]],
    ['extra entries', [1, 1, 2, 3, 3]],
    ['both', [1, 1, 2, 2, 2, 2]],
  ])('Figure 7: a follower with %s comes to the log of the leader', (_, log) => {
    const world = new World()
    const voters = { voters: [1, 2, 3], outgoing: [], learners: [], learnersNext: [] }
    const truth = [1, 1, 4, 4, 5]
    const logs = [truth, log, truth]
    logs.forEach((terms, i) => {
      const entries = terms.map((t, at) => entry(at + 1, t))
      world.add(i + 1, { ...blankDisk(voters), hardState: { term: 5, vote: 0, commit: 2 }, entries, history: ['1/1 1/1', '1/2 1/2'] })
    })
    world.replica(1).core.campaign()
    settle(world)
    expect(world.replica(2).history).toEqual(world.replica(1).history)
    expect(world.replica(2).history).toHaveLength(6)
  })

  test('a follower commits no further than the message has matched, even where its log goes on (pitfall 7)', () => {
    const raft = core({ term: 3, commit: 1, log: [1, 1, 2, 2] })
    raft.step(append({ term: 4, prevIndex: 2, prevTerm: 1, commit: 4 }))
    expect(raft.commit).toBe(2)
    expect(raft.status().last).toBe(4)
  })

  test('an append is acknowledged once it is durable (P2), also when it is a repetition', () => {
    const raft = core({ term: 1 })
    const message = append({ entries: [entry(1, 1)] })
    raft.step(message)
    const first = raft.ready()
    raft.step(message)
    const second = raft.ready()
    expect([first.messages, second.messages]).toEqual([[], []])
    expect(first.append).toMatchObject({ mustSync: true, thenSend: [{ index: 1, reject: false }] })
    // Nothing new to write, but the first write is not done.
    expect(second.append).toMatchObject({ mustSync: false, entries: [], thenSend: [{ index: 1 }] })
    raft.appended(first.append!.ticket)
    raft.appended(second.append!.ticket)
    raft.step(message)
    expect(raft.ready()).toMatchObject({ messages: [{ type: 'append_response', index: 1 }], append: null })
  })

  test('an append with a hole in it is as good as lost', () => {
    const raft = core({ term: 1 })
    raft.step(append({ entries: [entry(1, 1), entry(3, 1)] }))
    expect(raft.hasReady()).toBe(false)
  })
})

describe('5.4 safety', () => {
  test.each([
    [[1, 1], 2, 1, true],
    [[1, 1], 1, 1, false],
    [[1, 1], 1, 2, true],
    [[1, 2], 5, 1, false],
    [[], 0, 0, true],
  ])('5.4.1: a log %j gives its vote to one that ends at index %i of term %i: %s', (log, lastIndex, lastTerm, granted) => {
    const raft = core({ term: 2, log })
    raft.step(vote(3, lastIndex, lastTerm))
    expect(drain(raft)).toMatchObject([{ type: 'vote_response', granted }])
  })

  test('one that is shown an acknowledgement which its log does not hold says nothing any more: no vote, no answer', () => {
    const raft = core({ term: 3, commit: 1, log: [1, 1, 3] })
    const beat = { type: 'heartbeat', from: 2, to: 1, term: 3, readSeq: 0, quiesce: false } as const
    raft.step({ ...beat, commit: 3 })
    expect([raft.commit, raft.forgot]).toEqual([3, 0])
    drain(raft)
    raft.step({ ...beat, commit: 4 })
    expect([raft.commit, raft.forgot]).toEqual([3, 4])
    raft.step(vote(9, 9, 9))
    for (let i = 0; i < 50; i++) raft.tick()
    expect([raft.role, raft.term, raft.hasReady()]).toEqual(['follower', 3, false])
  })

  test('5.4.2: a leader commits by counting only entries of its own term (pitfall 1; Figure 8 is a transcript)', () => {
    const world = new World()
    const voters = { voters: [1, 2, 3], outgoing: [], learners: [], learnersNext: [] }
    for (const id of [1, 2, 3]) world.add(id, { ...blankDisk(voters), hardState: { term: 1, vote: 0, commit: 0 }, entries: [entry(1, 1)] })
    const leader = world.replica(1)
    leader.core.campaign()
    world.stabilize(new Set([1, 2]))
    expect(leader.core.commit).toBe(2)
    world.network = []
    const third = core({ term: 1, log: [1] })
    third.campaign()
    third.step({ type: 'vote_response', from: 2, to: 1, term: 2, preVote: true, granted: true, commit: 0, commitTerm: 0 })
    drain(third)
    third.step({ type: 'vote_response', from: 2, to: 1, term: 2, preVote: false, granted: true, commit: 0, commitTerm: 0 })
    drain(third)
    third.step({ type: 'append_response', from: 2, to: 1, term: 2, index: 1, reject: false, hintIndex: 0, hintTerm: 0 })
    expect(third.commit).toBe(0)
    third.step({ type: 'append_response', from: 2, to: 1, term: 2, index: 2, reject: false, hintIndex: 0, hintTerm: 0 })
    expect(third.commit).toBe(2)
  })
})

describe('6 membership changes', () => {
  test('a vote is withheld while a leader is heard, and no term rises', () => {
    const raft = core({ term: 1 })
    raft.step(append({}))
    drain(raft)
    raft.step(vote(9, 99, 8, 3))
    expect([raft.term, raft.hasReady()]).toEqual([1, false])
    for (let i = 0; i < 5; i++) raft.tick()
    raft.step(vote(9, 99, 8, 3))
    expect(raft.term).toBe(9)
  })

  test('one change at a time, and none before the leader knows all of its log applied (pitfall 13)', () => {
    const { leader } = led(3)
    expect(leader.core.proposeMembership({ voters: [1, 2], learners: [] })).toMatchObject({ ok: true, index: 2 })
    expect(leader.core.proposeMembership({ voters: [1, 2], learners: [] })).toEqual({ ok: false, reason: 'config-pending' })
  })

  const config: Entry = {
    index: 2,
    term: 1,
    type: ENTRY_CONFIG,
    data: encodeMembership({ voters: [1, 2, 3, 4], outgoing: [1, 2, 3], learners: [], learnersNext: [] }),
  }

  test('a new leader proposes no change while one may hide in its tail (pitfall 13)', () => {
    const disk = blankDisk({ voters: [1, 2, 3], outgoing: [], learners: [], learnersNext: [] })
    const state = { ...disk, hardState: { term: 1, vote: 0, commit: 1 }, entries: [entry(1, 1), config], applied: 1 }
    const raft = createRaft({ ...DEFAULT_OPTIONS, self: 1 }, state)
    raft.campaign()
    raft.step({ type: 'vote_response', from: 2, to: 1, term: 2, preVote: true, granted: true, commit: 0, commitTerm: 0 })
    raft.step({ type: 'vote_response', from: 2, to: 1, term: 2, preVote: false, granted: true, commit: 0, commitTerm: 0 })
    drain(raft)
    expect(raft.role).toBe('leader')
    expect(raft.proposeMembership({ voters: [1, 2, 5], learners: [] })).toEqual({ ok: false, reason: 'config-pending' })
  })

  test('nobody stands with a committed change that it has not applied (P10); asked to take over, it does so right after', () => {
    const disk = blankDisk({ voters: [1, 2, 3], outgoing: [], learners: [], learnersNext: [] })
    const state = { ...disk, hardState: { term: 1, vote: 0, commit: 2 }, entries: [entry(1, 1), config], applied: 1 }
    const raft = createRaft({ ...DEFAULT_OPTIONS, self: 1 }, state)
    raft.campaign()
    raft.step({ type: 'timeout_now', from: 2, to: 1, term: 1 })
    expect(raft.role).toBe('follower')
    expect(raft.ready().committed).toEqual([config])
    raft.applied(2)
    expect([raft.role, raft.term, raft.appliedMembership.voters]).toEqual(['candidate', 2, [1, 2, 3, 4]])
  })

  test('a replica that knows of no group never campaigns', () => {
    const raft = createRaft({ ...DEFAULT_OPTIONS, self: 7 }, { ...blankDisk(null), applied: 0 })
    for (let i = 0; i < 100; i++) raft.tick()
    raft.campaign()
    expect([raft.role, raft.hasReady()]).toEqual(['follower', false])
  })

  test('learners are replicated to, and count in no quorum', () => {
    const { world, leader } = led(2)
    world.add(3, blankDisk(null))
    leader.core.proposeMembership({ voters: [1, 2], learners: [3] })
    settle(world)
    world.cut.add('1>2').add('2>1')
    leader.core.propose(bytes('x'))
    settle(world)
    expect(world.replica(3).core.status().last).toBe(3)
    expect(leader.core.commit).toBe(2)
  })
})

describe('7 log compaction', () => {
  test('a follower behind the log is sent the snapshot, and goes on from there', () => {
    const { world, leader } = led(3)
    world.cut.add('1>3')
    for (let i = 0; i < 5; i++) leader.core.propose(bytes(`${i}`))
    settle(world)
    leader.compact()
    world.cut.clear()
    leader.core.tick()
    settle(world)
    leader.core.propose(bytes('after'))
    settle(world)
    expect(world.replica(3).history).toEqual(leader.history)
    expect(world.replica(3).core.status().first).toBe(7)
  })

  test('a stale snapshot is refused, and one of an earlier term too', () => {
    const raft = core({ term: 3, commit: 2, log: [1, 1, 2] })
    const membership = { voters: [1, 2, 3], outgoing: [], learners: [], learnersNext: [] }
    expect(raft.restore({ from: 2, term: 2, snapshot: { index: 9, term: 2, membership } })).toBe(false)
    expect(raft.restore({ from: 2, term: 3, snapshot: { index: 2, term: 1, membership } })).toBe(false)
    expect(raft.restore({ from: 2, term: 3, snapshot: { index: 9, term: 3, membership } })).toBe(true)
    expect(raft.status()).toMatchObject({ first: 10, commit: 9, applied: 9 })
  })

  test('a failed stream is tried again', () => {
    const { world, leader } = led(3)
    world.cut.add('1>3')
    for (let i = 0; i < 5; i++) leader.core.propose(bytes(`${i}`))
    settle(world)
    leader.compact()
    world.cut.clear()
    leader.core.tick()
    for (let i = 0; i < 4; i++) {
      for (const replica of world.replicas.values()) {
        while (world.ready(replica) || world.persist(replica));
      }
      const [stream] = world.take(({ type }) => type === 'install_snapshot')
      for (const frame of world.take(() => true)) world.deliver(frame)
      if (stream !== undefined) leader.core.snapshotSent(3, false)
    }
    leader.core.tick()
    settle(world)
    expect(world.replica(3).history).toEqual(leader.history)
  })
})

describe('8 clients', () => {
  test('a leader begins its term with an empty entry', () => {
    expect(led(1).leader.history).toEqual(['1/1 noop'])
  })

  test('a leader that no quorum answers steps down, and refuses what waits', () => {
    const { world, leader } = led(3)
    leader.core.readIndex(1)
    world.cut.add('1>2').add('1>3')
    for (let i = 0; i < 10; i++) leader.core.tick()
    world.ready(leader)
    expect([leader.core.role, leader.core.leader]).toEqual(['follower', 0])
    expect(world.takeLines()).toContain('1 read #1 is refused')
  })

  test('a follower asks the leader for a read point, and gives up when nobody answers', () => {
    const { world } = led(3)
    const follower = world.replica(2)
    follower.core.readIndex(5)
    settle(world)
    expect(world.takeLines()).toContain('2 read #5 at 1')
    follower.core.readIndex(6)
    world.ready(follower)
    world.network = []
    for (let i = 0; i < 10; i++) {
      world.replica(1).core.tick()
      settle(world)
      follower.core.tick()
    }
    settle(world)
    expect(world.takeLines()).toContain('2 read #6 is refused')
  })
})
