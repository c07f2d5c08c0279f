/** The number that a home says to the log of its partition: when, and which. */
import { expect, test } from 'vitest'
import { ManualClock } from '../../../test/manual-clock.ts'
import { TricordError } from '../../base/errors.ts'
import { FIRST_PARTITION } from '../../base/ids.ts'
import { ClusterDirectory } from '../../cluster/directory.ts'
import type { Placement } from '../../cluster/types.ts'
import type { Confirmation } from '../../raft/group-host.ts'
import type { CacheCommand } from '../machine/commands.ts'
import { NOTHING_HELD } from '../coherence/held.ts'
import { ROOM_UNBOUNDED } from '../machine/room.ts'
import { Coherence, type CoherenceDeps } from './coherence.ts'
import { HomeRoom, partitionRoom, partitionsOfFullest } from './home-room.ts'
import type { Writes } from './writes.ts'

const TERM = 3

function bed(inLog: number, wanted: number) {
  const clock = new ManualClock()
  const machine = { roomBytes: inLog }
  const state = { wanted, confirmed: [] as ((answer: Confirmation | null) => void)[], fails: 0 }
  const said: number[] = []
  const submit = async (_: number, command: CacheCommand): Promise<unknown> => {
    if (command.type !== 'cache_room' || command.term !== TERM) throw new Error('not what a home says of its room')
    said.push(command.bytes)
    await Promise.resolve()
    if (state.fails-- > 0) throw new TricordError('NO_QUORUM', 'nobody there')
    machine.roomBytes = command.bytes
    return { type: 'limited' }
  }
  const room = new HomeRoom(0, TERM, machine, {
    clock,
    host: { confirm: (_, done) => void state.confirmed.push(done) },
    writes: { submit } as unknown as Writes,
    room: { bytesMax: () => state.wanted },
  })
  const confirm = async (answer: Confirmation | null = { term: TERM, askedAt: 0 }): Promise<void> => {
    for (const done of state.confirmed.splice(0)) done(answer)
    await clock.settle()
  }
  return { clock, machine, state, said, room, confirm }
}

test('nothing is said before the log of older terms is applied, nor what is there already', async () => {
  const { said, confirm, room } = bed(500, 500)
  expect(said).toEqual([])
  await confirm()
  room.look()
  expect(said).toEqual([])
  const other = bed(400, 500)
  await other.clock.settle()
  expect(other.said).toEqual([])
  await other.confirm()
  expect(other.said).toEqual([500])
})

test('it is said again until it is there, and whenever another number is right', async () => {
  const { said, confirm, room, state, clock, machine } = bed(400, 500)
  await confirm(null)
  await clock.pass(1_000)
  state.fails = 2
  await confirm()
  expect(said).toEqual([500])
  await clock.pass(2_000)
  expect(said).toEqual([500, 500, 500])
  expect(machine.roomBytes).toBe(500)
  state.wanted = 600
  room.look()
  // While it is on its way the next one is right.
  state.wanted = 700
  room.look()
  await clock.settle()
  expect(said.slice(3)).toEqual([600, 700])
})

test('a lower number evicts: it is said once it has been right for five seconds, for a node that has just started may know an old table', async () => {
  const { said, confirm, room, state, clock } = bed(500, 250)
  await confirm()
  await clock.pass(4_900)
  expect(said).toEqual([])
  // The newer table has come.
  state.wanted = 500
  room.look()
  await clock.pass(20_000)
  expect(said).toEqual([])
  state.wanted = 400
  room.look()
  await clock.pass(4_900)
  expect(said).toEqual([])
  await clock.pass(200)
  expect(said).toEqual([400])
  const first = bed(ROOM_UNBOUNDED, 500)
  await first.confirm()
  expect(first.said).toEqual([500])
})

test('a lower number counts from when it was right last: a higher one in between, or one that is lower still, begins anew', async () => {
  const { said, confirm, room, state, clock, machine } = bed(500, 250)
  await confirm()
  await clock.pass(3_000)
  // Said at once, and in between nothing was to be lower.
  state.wanted = 600
  room.look()
  await clock.settle()
  expect([said, machine.roomBytes]).toEqual([[600], 600])
  state.wanted = 400
  room.look()
  await clock.pass(4_900)
  expect(said).toEqual([600])
  // What is lower still is as new as this.
  state.wanted = 300
  room.look()
  await clock.pass(4_900)
  // Less is to go than was: no reason to wait longer.
  state.wanted = 350
  room.look()
  expect(said).toEqual([600])
  await clock.pass(200)
  expect(said).toEqual([600, 350])
  expect(clock.waiting).toBe(0)
})

test('a number that was right again, and only for a moment, is heard of by a home that waits to say a lower one', async () => {
  const { said, confirm, room, state, clock } = bed(500, 250)
  await confirm()
  await clock.pass(3_000)
  state.wanted = 500
  room.look()
  state.wanted = 250
  room.look()
  await clock.pass(4_900)
  expect(said).toEqual([])
  await clock.pass(200)
  expect(said).toEqual([250])
})

test('a home that is no more says nothing', async () => {
  const { said, confirm, room, clock, state } = bed(400, 500)
  state.fails = 1
  await confirm()
  room.end()
  await clock.pass(10_000)
  room.look()
  expect(said).toEqual([500])
  const early = bed(400, 500)
  early.room.end()
  await early.confirm()
  expect(early.said).toEqual([])
})

test('a node asks its homes whenever the placement changes, and not once it is closed', async () => {
  const clock = new ManualClock()
  const said: unknown[] = []
  let [bytes, changed] = [500, (): void => {}]
  const status = { role: 'leader', term: TERM, leader: 0 }
  const soft = { holders: () => [], eachOwned: () => [].values(), ownerOf: () => null, unswept: () => [], stats: () => ({ markers: 0 }) }
  const machine = { roomBytes: 0, read: () => NOTHING_HELD, ...soft }
  const submit = async (partition: number, command: CacheCommand): Promise<unknown> => {
    said.push([partition, command])
    if (bytes === 700) throw new TricordError('NO_QUORUM', 'nobody there')
    if (command.type === 'cache_room') machine.roomBytes = command.bytes
    return { type: 'limited' }
  }
  const confirm = (_: number, done: (answer: Confirmation) => void): void => done({ term: TERM, askedAt: clock.now() })
  const coherence = new Coherence({
    system: { clock, incarnation: 1, send() {} },
    host: { onChange() {}, groups: () => [FIRST_PARTITION + 1], status: () => status, confirm, time: () => 0 },
    directory: { nodes: ['n1'], nodeOf: () => 'n1', hostsOf: () => ['n1'] },
    writes: { partitions: 2, submit },
    machineOf: () => machine,
    storeBytesMax: 1_000,
    room: { bytesMax: () => bytes, onChange: (listener: () => void) => (changed = listener) },
    onLog() {},
    lendMark: { quietUntil: -Infinity, set: async () => {} },
  } as unknown as CoherenceDeps)
  const command = (room: number) => [1, { type: 'cache_room', bytes: room, term: TERM }]
  await clock.settle()
  expect(said).toEqual([command(500)])
  bytes = 600
  changed()
  // Not within the change: an entry may be being applied.
  expect(said).toHaveLength(1)
  await clock.pass(1)
  expect(said).toEqual([command(500), command(600)])
  bytes = 700
  changed()
  await clock.pass(1)
  expect(said).toHaveLength(3)
  coherence.close()
  changed()
  await clock.pass(10_000)
  expect(said).toHaveLength(3)
})

const placed = (group: number, ...replicas: number[]): Placement => ({ group, replicas, lives: replicas.map(() => 0) })

test('a partition has its part of what the fullest node may hold; other groups have none', () => {
  const placements = [placed(0, 1, 2, 3), placed(1, 1, 2, 3), ...[1, 2, 3].map((nth) => placed(FIRST_PARTITION + nth, 1, 1 + nth))]
  expect(partitionsOfFullest(placements)).toBe(3)
  const view = { formation: null, epoch: 1, nextMember: 9, members: [], placements }
  const directory = new ClusterDirectory(view)
  const room = partitionRoom(1_000, directory)
  expect(room.bytesMax()).toBe(333)
  let heard = 0
  room.onChange(() => heard++)
  directory.adopt({ ...view, epoch: 1, placements: [] })
  expect([room.bytesMax(), heard]).toEqual([333, 0])
  directory.adopt({ ...view, epoch: 2, placements: placements.slice(0, 4) })
  expect([room.bytesMax(), heard]).toEqual([500, 1])
  expect(partitionRoom(0, directory).bytesMax()).toBe(ROOM_UNBOUNDED)
})
