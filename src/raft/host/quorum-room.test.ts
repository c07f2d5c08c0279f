/** The room of a majority, against counting by hand: what so many voters have at least. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { NodeId, ReplicaId } from '../../base/ids.ts'
import { membership } from '../../../test/raft-cluster.ts'
import type { DiskRoom } from '../disk-room.ts'
import { QuorumRoom } from './quorum-room.ts'

const ROOMS: readonly DiskRoom[] = ['enough', 'low', 'full']
const SELF = 1

function roomOf(own: DiskRoom, others: readonly (DiskRoom | 'down' | 'unknown')[]): DiskRoom {
  const nodeOf = (replica: ReplicaId): NodeId | null => (others[replica - 2] === 'unknown' ? null : `n${replica}`)
  const up = new Set(others.flatMap((room, at) => (room === 'down' ? [] : [`n${at + 2}`])))
  const rooms = new QuorumRoom({ nodeOf, up })
  for (const [at, room] of others.entries()) if (room !== 'down' && room !== 'unknown') rooms.saw(`n${at + 2}`, room)
  return rooms.of(SELF, own, membership([SELF, ...others.map((_, at) => at + 2)]))
}

test('two of three decide; who is down has no word, and where he is missed that is another matter', () => {
  expect(roomOf('enough', ['enough', 'full'])).toBe('enough')
  expect(roomOf('enough', ['low', 'enough'])).toBe('enough')
  expect(roomOf('enough', ['low', 'low'])).toBe('low')
  expect(roomOf('enough', ['low', 'full'])).toBe('low')
  expect(roomOf('enough', ['full', 'full'])).toBe('full')
  expect(roomOf('low', ['enough', 'low'])).toBe('low')
  expect(roomOf('enough', ['low', 'down'])).toBe('low')
  expect(roomOf('enough', ['enough', 'down'])).toBe('enough')
  expect(roomOf('enough', ['low', 'unknown'])).toBe('low')
  expect(roomOf('enough', ['down', 'down'])).toBe('enough')
})

test('a majority has so much and no more', () => {
  const room = fc.constantFrom(...ROOMS)
  fc.assert(
    fc.property(room, fc.array(room, { maxLength: 6 }), (own, others) => {
      fc.pre(others.some((one) => one !== 'enough'))
      const sorted = [own, ...others].map((one) => ROOMS.indexOf(one)).sort()
      expect(roomOf(own, others)).toBe(ROOMS[sorted[sorted.length >> 1]!])
    }),
  )
})

test('of a joint configuration both halves have to have it; a word is over with the next', () => {
  const rooms = new QuorumRoom({ nodeOf: (replica) => `n${replica}`, up: new Set(['n2', 'n3', 'n4', 'n5']) })
  const joint = { voters: [1, 2, 3], outgoing: [1, 4, 5], learners: [], learnersNext: [] }
  rooms.saw('n4', 'low')
  expect(rooms.of(SELF, 'enough', joint)).toBe('enough')
  rooms.saw('n5', 'full')
  expect(rooms.of(SELF, 'enough', joint)).toBe('low')
  rooms.saw('n2', 'full')
  rooms.saw('n3', 'full')
  expect(rooms.of(SELF, 'enough', joint)).toBe('full')
  for (const node of ['n2', 'n3', 'n5']) rooms.saw(node, 'enough')
  expect(rooms.of(SELF, 'enough', joint)).toBe('enough')
})
