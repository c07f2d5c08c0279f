import { expect, test } from 'vitest'
import { World } from '../../../test/scenarios/world.ts'
import { blankDisk } from '../../../test/scenarios/replica.ts'
import { ForwardedReads, ReadRounds } from './read-index.ts'

test('all that waits shares one round, and rounds are answered in order', () => {
  const rounds = new ReadRounds()
  rounds.add(1, 10)
  rounds.add(2, 11)
  rounds.begin(5)
  rounds.add(1, 12)
  rounds.begin(6)
  expect(rounds.takeConfirmed(0)).toBe(null)
  expect(rounds.takeConfirmed(1)?.reads.map((read) => read.readId)).toEqual([10, 11])
  expect(rounds.takeConfirmed(1)).toBe(null)
  expect(rounds.empty).toBe(false)
  expect(rounds.takeConfirmed(2)).toMatchObject({ index: 6 })
  expect(rounds.empty).toBe(true)
})

test('the end of leadership gives everything back', () => {
  const rounds = new ReadRounds()
  rounds.add(1, 10)
  rounds.begin(5)
  rounds.add(1, 11)
  expect(rounds.drain().map((read) => read.readId)).toEqual([10, 11])
  expect(rounds.empty).toBe(true)
})

test('a lease counts from when its heartbeat was sent, and less than an election timeout (pitfall 21)', () => {
  const rounds = new ReadRounds()
  rounds.beginLease(100)
  const seq = rounds.seq
  rounds.beginLease(105)
  // Confirmed late: still only good for what was left at 100.
  rounds.renewLease(seq)
  expect(rounds.leaseHolds(107, 10)).toBe(true)
  expect(rounds.leaseHolds(108, 10)).toBe(false)
  rounds.renewLease(seq + 1)
  expect(rounds.leaseHolds(112, 10)).toBe(true)
  rounds.voidLease()
  expect(rounds.leaseHolds(112, 10)).toBe(false)
})

test('a forwarded read that nobody answers is given up between one and two timeouts', () => {
  const reads = new ForwardedReads(3)
  reads.add(1)
  const expired = [1, 2, 3, 4, 5, 6].map(() => [...reads.tick()])
  expect(expired).toEqual([[], [], [], [], [], [1]])
  reads.add(2)
  expect([reads.settle(2), reads.settle(2)]).toEqual([true, false])
})

/** Three replicas with lease reads, 1 leading with a fresh lease. */
function leased(): World {
  const world = new World()
  world.options = { ...world.options, leaseReads: true, electionTicks: 10 }
  const voters = [1, 2, 3]
  for (const id of voters) world.add(id, blankDisk({ voters, outgoing: [], learners: [], learnersNext: [] }))
  for (const id of voters) for (let i = 0; i < 10; i++) world.replica(id).core.tick()
  world.replica(1).core.campaign()
  world.stabilize(new Set(voters))
  world.replica(1).core.tick()
  world.stabilize(new Set(voters))
  world.takeLines()
  return world
}

function readNow(world: World, readId: number): string[] {
  world.takeLines()
  world.replica(1).core.readIndex(readId)
  world.ready(world.replica(1))
  return world.takeLines()
}

test('with a lease a read needs no round; without a fresh one it does', () => {
  const world = leased()
  expect(readNow(world, 1)).toEqual(['1 read #1 at 1'])
  for (let i = 0; i < 9; i++) world.replica(1).core.tick()
  expect(readNow(world, 2)).not.toContain('1 read #2 at 1')
})

test('whoever hands over has no lease any more: that vote ignores leases', () => {
  const world = leased()
  world.replica(1).core.transferLeadership(2)
  world.ready(world.replica(1))
  expect(readNow(world, 1)).not.toContain('1 read #1 at 1')
})

test('a voter that comes back honours the lease it may have given', () => {
  const world = leased()
  const voter = world.replica(3)
  voter.crash(0, true)
  voter.restart()
  world.checker.restarted(voter)
  world.network = []
  voter.core.step({ type: 'request_vote', from: 2, to: 3, term: 5, preVote: false, lastIndex: 99, lastTerm: 4, transfer: false })
  expect(voter.core.term).toBe(1)
  for (let i = 0; i < 10; i++) voter.core.tick()
  voter.core.step({ type: 'request_vote', from: 2, to: 3, term: 5, preVote: false, lastIndex: 99, lastTerm: 4, transfer: false })
  expect(voter.core.status()).toMatchObject({ term: 5, vote: 2 })
})
