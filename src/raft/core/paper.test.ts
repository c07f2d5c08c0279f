/**
 * The rules of the paper (Ongaro and Ousterhout, extended version), one test each, by section; then the rules of our
 * own contract that no transcript shows.
 */
import { describe, expect, test } from 'vitest'
import { blankDisk, type Replica } from '../../../test/scenarios/replica.ts'
import { DEFAULT_OPTIONS, World } from '../../../test/scenarios/world.ts'
import type { RaftCore, RaftOptions } from './raft-core.ts'
import { createRaft } from './raft.ts'
import { ENTRY_COMMANDS, type AppendEntries, type Entry, type PeerMessage } from './types.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

function entry(index: number, term: number): Entry {
  return { index, term, type: ENTRY_COMMANDS, data: bytes(`${term}/${index}`) }
}

/** Replica 1 of {1,2,3} with a durable past. */
function core(
  past: { term?: number; vote?: number; commit?: number; log?: readonly number[] } = {},
  options: Partial<RaftOptions> = {},
): RaftCore {
  const { term = 0, vote = 0, commit = 0, log = [] } = past
  const disk = blankDisk({ voters: [1, 2, 3], outgoing: [], learners: [], learnersNext: [] })
  const entries = log.map((t, i) => entry(i + 1, t))
  return createRaft({ ...DEFAULT_OPTIONS, ...options, self: 1 }, { ...disk, hardState: { term, vote, commit }, entries, applied: commit })
}

function append(fields: Partial<AppendEntries>): AppendEntries {
  return { type: 'append_entries', from: 2, to: 1, term: 1, prevIndex: 0, prevTerm: 0, commit: 0, entries: [], ...fields }
}

function vote(term: number, lastIndex: number, lastTerm: number, from = 2): PeerMessage {
  return { type: 'request_vote', from, to: 1, term, preVote: false, lastIndex, lastTerm, transfer: false }
}

/** Everything durable and applied at once; what leaves, in order. */
function drain(raft: RaftCore): PeerMessage[] {
  const sent: PeerMessage[] = []
  while (raft.hasReady()) {
    const { messages, append: work, committed } = raft.ready()
    sent.push(...messages)
    if (work !== null) {
      raft.appended(work.ticket)
      for (const promise of work.thenSend) {
        if (promise.to === raft.self) raft.step(promise)
        else sent.push(promise)
      }
    }
    if (committed.length > 0) raft.applied(committed.at(-1)!.index)
  }
  return sent
}

function group(size: number, options: Partial<RaftOptions> = {}): World {
  const world = new World()
  world.options = { ...world.options, ...options }
  const voters = Array.from({ length: size }, (_, i) => i + 1)
  for (const id of voters) world.add(id, blankDisk({ voters, outgoing: [], learners: [], learnersNext: [] }))
  return world
}

function settle(world: World): void {
  world.stabilize(new Set(world.replicas.keys()))
}

function led(size: number, options: Partial<RaftOptions> = {}): { readonly world: World; readonly leader: Replica } {
  const world = group(size, options)
  world.replica(1).core.campaign()
  settle(world)
  return { world, leader: world.replica(1) }
}

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
