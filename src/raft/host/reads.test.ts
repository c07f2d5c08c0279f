/** What was asked of a leader that is none any more when the round would begin. */
import { expect, test } from 'vitest'
import type { Envelope } from '../../actors/envelope.ts'
import type { Confirmation } from '../group-host.ts'
import type { Group } from './group.ts'
import type { QueryMessage } from './propose-codec.ts'
import { Reads } from './reads.ts'
import type { HostShared } from './shared.ts'

const QUERY = { group: 1, key: '', request: null } as unknown as QueryMessage

function bed() {
  const core = { role: 'leader', term: 3, rounds: [] as number[], readIndex: (id: number) => core.rounds.push(id) > 0 }
  const answered: Envelope[] = []
  const failed: (readonly [Envelope, string])[] = []
  const group = { core, applier: { index: 7 }, answerQuery: (envelope: Envelope) => void answered.push(envelope) }
  const ctx = { fail: (envelope: Envelope, code: string) => void failed.push([envelope, code]) }
  const shared = { clock: { now: () => 100 }, outgoing: { ctx }, dirty() {} }
  const reads = new Reads(group as unknown as Group, shared as unknown as HostShared)
  return { core, answered, failed, reads }
}

const envelopeOf = (msgId: number): Envelope => ({ msgId }) as unknown as Envelope

test('a leader asks a majority once for all of a turn, and answers what its machine has reached', () => {
  const { answered, core, failed, reads } = bed()
  const confirmations: (Confirmation | null)[] = []
  for (const id of [1, 2]) reads.ask(envelopeOf(id), QUERY)
  reads.confirm((confirmation) => confirmations.push(confirmation))
  reads.flush()
  expect(core.rounds).toEqual([1])
  reads.confirmed(1, 8)
  reads.serve()
  expect(answered).toEqual([])
  reads.ask(envelopeOf(3), QUERY)
  reads.flush()
  reads.confirmed(2, 7)
  reads.serve()
  expect(answered).toEqual([envelopeOf(3)])
  reads.clear()
  expect(failed).toEqual([1, 2].map((id) => [envelopeOf(id), 'NO_LEADER']))
  expect(confirmations).toEqual([null])
})

test('deposed between the question and its round it refuses, and asks nobody', () => {
  const { answered, core, failed, reads } = bed()
  const confirmations: (Confirmation | null)[] = []
  reads.ask(envelopeOf(1), QUERY)
  reads.confirm((confirmation) => confirmations.push(confirmation))
  Object.assign(core, { role: 'follower', term: 4 })
  reads.flush()
  expect(core.rounds).toEqual([])
  expect(failed).toEqual([[envelopeOf(1), 'NO_LEADER']])
  expect(confirmations).toEqual([null])
  reads.confirmed(1, 7)
  reads.serve()
  expect(answered).toEqual([])
})
