/** What the leader of `meta` may conclude from what the nodes say of their groups. */
import { describe, expect, test } from 'vitest'
import { LOCKS_GROUP, replicaId } from '../base/ids.ts'
import { type StatusRow, Surveyor, encodeAnswer, readAnswer } from './status.ts'

const [first, second, newcomer] = [replicaId(1, 0), replicaId(2, 0), replicaId(6, 0)]

function leads(member: number, term: number, members: readonly number[]): StatusRow {
  return [LOCKS_GROUP, member, true, term, 10, 10, members, members, 100]
}

describe('a survey', () => {
  test('rests on what was said with the present table at hand', () => {
    const surveyor = new Surveyor()
    surveyor.take('n1', { epoch: 4, rows: [leads(1, 5, [first, second])] })
    expect(surveyor.survey(4).get(LOCKS_GROUP)).toEqual([first, second])
    // The newcomer came and was taken out again since: the old words say nothing of it, and its group is not known.
    expect(surveyor.survey(12).has(LOCKS_GROUP)).toBe(false)
    surveyor.take('n6', { epoch: 12, rows: [leads(6, 6, [first, second, newcomer])] })
    expect(surveyor.survey(12).get(LOCKS_GROUP)).toEqual([first, second, newcomer])
  })

  test('believes the highest term, and nobody where its leader is not heard', () => {
    const surveyor = new Surveyor()
    surveyor.take('n1', { epoch: 1, rows: [leads(1, 5, [first, second])] })
    surveyor.take('n2', { epoch: 1, rows: [[LOCKS_GROUP, 6, false, 6, 10, 10, [], [], 0]] })
    expect(surveyor.survey(1).has(LOCKS_GROUP)).toBe(false)
  })

  test('reads what was written, and nothing else', () => {
    const answer = { epoch: 3, rows: [leads(1, 5, [first, second])] }
    expect(readAnswer(encodeAnswer(answer))).toEqual(answer)
    for (const odd of [null, [], [3], [3, null], ['3', []], [3, [[1, 2]]]]) expect(readAnswer(odd)).toBeNull()
  })
})
