import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ReplicaId } from '../../base/ids.ts'
import { jointTally, majority, quorumValue, tally, type VoteResult } from './quorum.ts'

/** The dumb twin: the highest value for which more than half have reached it. */
function oracleValue(values: readonly number[]): number {
  if (values.length === 0) return Infinity
  return Math.max(...values.filter((value) => values.filter((other) => other >= value).length * 2 > values.length))
}

test('a majority is more than half', () => {
  expect([1, 2, 3, 4, 5, 6, 7].map(majority)).toEqual([1, 2, 2, 3, 3, 4, 4])
})

test('the value of a quorum is that of the dumb twin', () => {
  const scratch = new Float64Array(9)
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 9 }), (values) => {
      scratch.set(values)
      expect(quorumValue(scratch, values.length)).toBe(oracleValue(values))
    }),
    { numRuns: 20_000 },
  )
})

/** Plays every way the missing votes may fall: won or lost is what is the same in all of them. */
function oracleTally(voters: readonly ReplicaId[], outgoing: readonly ReplicaId[], votes: ReadonlyMap<ReplicaId, boolean>): VoteResult {
  const missing = [...new Set([...voters, ...outgoing])].filter((id) => !votes.has(id))
  const outcomes = new Set<boolean>()
  for (let bits = 0; bits < 2 ** missing.length; bits++) {
    const yes = (id: ReplicaId) => votes.get(id) ?? ((bits >> missing.indexOf(id)) & 1) === 1
    const wins = (half: readonly ReplicaId[]) => half.length === 0 || half.filter(yes).length * 2 > half.length
    outcomes.add(wins(voters) && wins(outgoing))
  }
  if (outcomes.size === 2) return 'pending'
  return outcomes.has(true) ? 'won' : 'lost'
}

const ids = fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 5 })
const someVotes = fc.array(fc.tuple(fc.integer({ min: 1, max: 8 }), fc.boolean())).map((pairs) => new Map(pairs))

test('a vote is won or lost as soon as the rest cannot change it', () => {
  fc.assert(
    fc.property(ids, someVotes, (voters, votes) => {
      expect(tally(voters, votes)).toBe(oracleTally(voters, [], votes))
    }),
    { numRuns: 5000 },
  )
})

test('a joint vote needs both halves', () => {
  expect(jointTally([1], [2], new Map([[1, true]]))).toBe('pending')
  fc.assert(
    fc.property(ids, ids, someVotes, (voters, outgoing, votes) => {
      const result = jointTally(voters, outgoing, votes)
      const oracle = oracleTally(voters, outgoing, votes)
      // Halves that share voters may be decided a vote earlier than each for itself can see: late is safe, wrong is not.
      if (result === 'pending') expect(oracle).not.toBe('won')
      else expect(result).toBe(oracle)
    }),
    { numRuns: 5000 },
  )
})
