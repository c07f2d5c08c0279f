/** What the failure detector says of others, and from when it is. */
import { expect, test } from 'vitest'
import { ManualClock } from '../../test/manual-clock.ts'
import { createActorSystem } from '../actors/system.ts'
import { Prng } from '../base/prng.ts'
import { createLocalBus } from '../io/transport-local.ts'
import type { DiskRoom } from '../raft/disk-room.ts'
import { DETECTOR_PATH, createFailureDetector } from './failure-detector.ts'

const TIMEOUT_MS = 1_000

function twoNodes() {
  const rooms: DiskRoom[] = ['low', 'low']
  const clock = new ManualClock()
  const bus = createLocalBus(clock)
  const bugs: unknown[] = []
  const said: string[] = []
  const nodes = ['n1', 'n2'].map((node, at) => {
    const limits = { mailboxMax: 100, drainMax: 100, onBug: (error: unknown) => bugs.push(error) }
    const of = { node, incarnation: 1, cluster: 'test', clock, random: new Prng(at), transport: bus.transport(node, 1) }
    const system = createActorSystem({ ...of, ...limits })
    const detector = createFailureDetector({
      peers: () => ['n1', 'n2'],
      timeoutMs: TIMEOUT_MS,
      room: () => rooms[at] as DiskRoom,
      onDown: (peer) => said.push(`${node}: ${peer} is down`),
      onUp: (peer) => said.push(`${node}: ${peer} is up`),
      onRoom: (peer, room) => said.push(`${node}: ${peer} has ${room}`),
      onAnswer: () => said.push(`${node}: an answer`),
    })
    system.spawn(DETECTOR_PATH, detector)
    return { system, detector }
  })
  return { clock, bugs, said, rooms, one: nodes[0]!, two: nodes[1]! }
}

test('an answer is to a question of its own time; one that died since gives none, though it still counts as up', async () => {
  const { clock, bugs, said, one, two } = twoNodes()
  await clock.until(() => one.detector.isUp('n2') && one.detector.answered('n2') >= 0, 'they have met')
  expect(one.detector.roomOf('n2')).toBe('low')
  // Between two rounds of pings.
  await clock.pass(TIMEOUT_MS / 8)
  const asked = clock.now()
  expect(one.detector.answered('n2')).toBeLessThan(asked)
  one.detector.ask('n2')
  await clock.until(() => said.includes('n1: an answer'), 'the answer')
  expect(one.detector.answered('n2')).toBe(asked)
  expect(clock.now() - asked).toBeLessThan(TIMEOUT_MS / 5)

  await two.system.close()
  await clock.pass(10)
  const later = clock.now()
  one.detector.ask('n2')
  await clock.pass(TIMEOUT_MS / 2)
  expect(one.detector.isUp('n2')).toBe(true)
  expect(one.detector.answered('n2')).toBeLessThan(later)
  await clock.until(() => said.includes('n1: n2 is down'), 'the verdict')
  expect(said.filter((line) => line === 'n1: an answer')).toHaveLength(1)
  await one.system.close()
  expect(bugs).toEqual([])
})

test('how much room there is is said with every ping, and at once where it is asked for; only what is new is told', async () => {
  const { clock, bugs, said, rooms, one, two } = twoNodes()
  await clock.until(() => one.detector.isUp('n2') && two.detector.isUp('n1'), 'they have met')
  await clock.pass(3 * TIMEOUT_MS + TIMEOUT_MS / 8)
  const told = () => said.filter((line) => line.startsWith('n1: n2 has'))
  expect(told()).toEqual(['n1: n2 has low'])
  rooms[1] = 'full'
  two.detector.tellRoom()
  await clock.pass(TIMEOUT_MS / 100)
  expect([told(), one.detector.roomOf('n2')]).toEqual([['n1: n2 has low', 'n1: n2 has full'], 'full'])
  rooms[1] = 'enough'
  await clock.pass(TIMEOUT_MS / 2)
  expect(told()).toEqual(['n1: n2 has low', 'n1: n2 has full', 'n1: n2 has enough'])
  await one.system.close()
  await two.system.close()
  expect(bugs).toEqual([])
})
