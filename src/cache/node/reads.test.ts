import { expect, test } from 'vitest'
import { ManualClock } from '../../../test/manual-clock.ts'
import { partitionGroup } from '../../base/ids.ts'
import type { Proposer, SubmitOptions } from '../../raft/proposer.ts'
import { entryLine } from '../line-id.ts'
import { Reads } from './reads.ts'
import { Touches } from './touches.ts'
import { Writes } from './writes.ts'

const prefix = (cache: string): string => entryLine('default', cache, '')
const line = (key: string, cache = 'a'): string => entryLine('default', cache, key)

function bed() {
  const clock = new ManualClock()
  const told: string[] = []
  const submit = (partition: number, { cache, keys }: { cache: string; keys: readonly string[] }) => {
    told.push(`${partition} ${cache}: ${keys.join(' ')}`)
    return Promise.reject(new Error('the log does not answer'))
  }
  return { clock, reads: new Reads(clock, { submit } as unknown as Writes), said: () => told.splice(0) }
}

test('each key is told once a second, by partition and cache; the others not at all', async () => {
  const { clock, reads, said } = bed()
  reads.ask(3, [prefix('a'), prefix('b')])
  reads.ask(4, [prefix('a')])
  for (let again = 0; again < 3; again++) for (const key of ['x', 'y']) reads.read(3, line(key))
  reads.read(3, line('x', 'b'))
  reads.read(4, line('z'))
  reads.read(4, line('z', 'b'))
  reads.read(5, line('z'))
  await clock.pass(999)
  expect(said()).toEqual([])
  await clock.pass(1)
  expect(said()).toEqual(['3 a: x y', '3 b: x', '4 a: z'])
  reads.read(3, line('x'))
  await clock.pass(1_000)
  expect(said()).toEqual(['3 a: x'])
  await clock.pass(10_000)
  expect(said()).toEqual([])
  expect(clock.waiting).toBe(0)
})

test('what is asked for again goes on, what is not asked for any more is not told', async () => {
  const { clock, reads, said } = bed()
  reads.ask(3, [prefix('a'), prefix('b')])
  reads.read(3, line('x'))
  reads.read(3, line('x', 'b'))
  reads.ask(3, [prefix('a')])
  await clock.pass(1_000)
  expect(said()).toEqual(['3 a: x'])
  reads.read(3, line('x'))
  reads.ask(3, [])
  reads.read(3, line('x'))
  await clock.pass(1_000)
  expect(said()).toEqual([])
})

test('of very many those that were read first are told, and one command takes them', async () => {
  const { clock, reads, said } = bed()
  reads.ask(3, [prefix('a')])
  for (let nth = 0; nth < 300; nth++) reads.read(3, line(`${nth}`))
  await clock.pass(1_000)
  expect(said()).toEqual([`3 a: ${Array.from({ length: 256 }, (_, nth) => nth).join(' ')}`])
})

test('a home that does not ask again is told no more: that it wants nothing may have got lost', async () => {
  const { clock, reads, said } = bed()
  reads.ask(3, [prefix('a')])
  await clock.pass(4_000)
  reads.ask(3, [prefix('a')])
  await clock.pass(4_000)
  reads.read(3, line('x'))
  await clock.pass(1_000)
  expect(said()).toEqual(['3 a: x'])
  await clock.pass(1)
  reads.read(3, line('x'))
  await clock.pass(1_000)
  expect(said()).toEqual([])
  expect(clock.waiting).toBe(0)
})

test('a disk that is low is not filled by reads; lives that reads prolong go on', async () => {
  const clock = new ManualClock()
  const told: (readonly [group: number, essential: boolean])[] = []
  const proposer = { submit: (group: number, _: unknown, { essential }: SubmitOptions) => void told.push([group, essential === true]) }
  const writes = new Writes(proposer as unknown as Proposer, { partitions: 8, hash: () => 0 })
  const [reads, touches] = [new Reads(clock, writes), new Touches(clock, writes)]
  reads.ask(3, [prefix('a')])
  reads.read(3, line('x'))
  touches.read(4, line('x'), 10_000)
  await clock.pass(1_000)
  expect(told.toSorted()).toEqual([
    [partitionGroup(3), false],
    [partitionGroup(4), true],
  ])
})

test('nothing is told once it is closed', async () => {
  const { clock, reads, said } = bed()
  reads.ask(3, [prefix('a')])
  reads.read(3, line('x'))
  reads.close()
  await clock.pass(5_000)
  expect(said()).toEqual([])
  expect(clock.waiting).toBe(0)
})
