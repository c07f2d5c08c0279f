/**
 * What a majority has agreed to: the arithmetic of quorums, over plain numbers, so that it can be tested against
 * a dumb oracle. A joint configuration needs both of its majorities; an empty list of voters agrees to everything
 * (the outgoing half outside of a joint configuration).
 */
import { assert } from '../../base/assert.ts'
import type { ReplicaId } from '../../base/ids.ts'

export type VoteResult = 'won' | 'lost' | 'pending'

/** How many of `voters` make a majority. */
export function majority(voters: number): number {
  return (voters >> 1) + 1
}

/**
 * The highest value that a majority of the first `count` values has reached; Infinity for none. Sorts them in place:
 * a handful of voters sorts faster by insertion in a scratch buffer than by anything that allocates.
 */
export function quorumValue(values: Float64Array, count: number): number {
  assert(count <= values.length, 'quorum scratch too small')
  if (count === 0) return Infinity
  for (let i = 1; i < count; i++) {
    const value = values[i]!
    let j = i - 1
    while (j >= 0 && values[j]! < value) {
      values[j + 1] = values[j]!
      j--
    }
    values[j + 1] = value
  }
  return values[majority(count) - 1]!
}

/** The outcome of a vote among `voters`: lost as soon as a majority cannot be reached any more. */
export function tally(voters: readonly ReplicaId[], votes: ReadonlyMap<ReplicaId, boolean>): VoteResult {
  if (voters.length === 0) return 'won'
  let granted = 0
  let missing = 0
  for (const voter of voters) {
    const vote = votes.get(voter)
    if (vote === undefined) missing++
    else if (vote) granted++
  }
  const needed = majority(voters.length)
  if (granted >= needed) return 'won'
  return granted + missing >= needed ? 'pending' : 'lost'
}

/** Both majorities of a joint configuration must be won; losing one loses. */
export function jointTally(
  voters: readonly ReplicaId[],
  outgoing: readonly ReplicaId[],
  votes: ReadonlyMap<ReplicaId, boolean>,
): VoteResult {
  const incoming = tally(voters, votes)
  const leaving = tally(outgoing, votes)
  if (incoming === leaving) return incoming
  return incoming === 'lost' || leaving === 'lost' ? 'lost' : 'pending'
}
