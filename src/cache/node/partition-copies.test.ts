/** Reads of a node: what is said of them to who has to know. */
import { expect, test } from 'vitest'
import { ManualClock } from '../../../test/manual-clock.ts'
import { SuspendAwareClock } from '../../io/suspend-aware-clock.ts'
import type { Copy } from '../coherence/copies.ts'
import type { Held, LineId, ToHome } from '../coherence/protocol.ts'
import { LineStore } from './line-store.ts'
import { PartitionCopies } from './partition-copies.ts'

const HELD: Held = { version: 1, value: new Uint8Array(1), contentType: '', ttlLeftMs: 900, slidingMs: 800, tags: [] }

/** Of a node with a copy of the line, in a session that began now. */
async function copiesWithOne(held = HELD) {
  const clock = new ManualClock()
  const sent: ToHome[] = []
  const told: [LineId, number][] = []
  const read: LineId[] = []
  const store = new LineStore<Copy>({ bytesMax: 1_000_000, onCount: () => {} })
  const copies = new PartitionCopies({
    partition: 3,
    clock: new SuspendAwareClock(clock),
    life: 1,
    store,
    room: store,
    send: (_, message) => void sent.push(message),
    flush: () => {},
    release: () => {},
    onLost: () => {},
    callBack: () => {},
    onSlidingRead: (line, slidingMs) => void told.push([line, slidingMs]),
    onTold: (line) => void read.push(line),
  })
  const first = copies.read('line', 1_000)
  const [open] = sent
  if (open?.type !== 'open') throw new Error('no session is asked for')
  copies.receive('n1', { type: 'opened', term: 1, sid: 1, n: open.n, leaseMs: 2_000 })
  const getS = sent.at(-1)
  if (getS?.type !== 'getS') throw new Error('nothing is asked for')
  copies.receive('n1', { type: 'dataS', term: 1, sid: 1, rid: getS.rid, line: 'line', g: 1, held })
  expect(await first).toEqual(held)
  return { clock, copies, sent, told, read, hit: () => copies.hit('line', store.get('line')) }
}

test('a copy is not read after the machine was suspended for longer than the lease', async () => {
  const { clock, copies, hit } = await copiesWithOne({ ...HELD, ttlLeftMs: null, slidingMs: 0 })
  clock.suspend(1_900)
  expect(hit()).toMatchObject({ partition: 3, state: 'S' })
  clock.suspend(101)
  expect(hit()).toBe(null)
  expect(copies.stateOf('line')).toBe('I')
  const read = copies.read('line', 1_000)
  expect(read).toBeInstanceOf(Promise)
  copies.close()
  await expect(read).rejects.toMatchObject({ code: 'STARTING' })
})

test('a wall clock that is set back ends nothing and lengthens nothing', async () => {
  const { clock, copies, hit } = await copiesWithOne({ ...HELD, ttlLeftMs: null, slidingMs: 0 })
  clock.suspend(-3_600_000)
  clock.jump(1_999)
  expect(hit()).toMatchObject({ state: 'S' })
  clock.jump(1)
  expect(hit()).toBe(null)
  expect(copies.stateOf('line')).toBe('I')
  copies.close()
})

test('a hit tells what is left of its life at that moment, and none is read after its life', async () => {
  const { clock, copies, hit } = await copiesWithOne({ ...HELD, ttlLeftMs: 500, slidingMs: 0 })
  clock.jump(100)
  expect(hit()).toEqual({ held: { ...HELD, ttlLeftMs: 400, slidingMs: 0 }, state: 'S' })
  clock.jump(400)
  expect(hit()).toBe(null)
  copies.close()
})

test('each read of what slides is told, the first one as well, of which there is no copy', async () => {
  const { copies, told, hit } = await copiesWithOne()
  expect(told).toEqual([['line', 800]])
  expect(hit()).toMatchObject({ held: HELD })
  expect(copies.read('line', 1_000)).toEqual(HELD)
  expect(told).toEqual([
    ['line', 800],
    ['line', 800],
    ['line', 800],
  ])
  copies.close()
})

test('what is read is told while the home asks for it, as it comes and from the copy; what is not there is not', async () => {
  const { copies, told, read, hit } = await copiesWithOne({ ...HELD, slidingMs: 0 })
  expect(hit()).not.toBe(null)
  expect(read).toEqual([])
  copies.tellsReads = true
  expect(hit()).not.toBe(null)
  void copies.read('line', 1_000)
  expect(read).toEqual(['line', 'line'])
  expect(told).toEqual([])
  copies.close()
  const other = await copiesWithOne({ ...HELD, value: null, ttlLeftMs: null, slidingMs: 0 })
  other.copies.tellsReads = true
  expect(other.hit()).not.toBe(null)
  expect(other.read).toEqual([])
  other.copies.close()
})

test('a node that has stopped asks nobody for anything, and nobody who reads is kept waiting', async () => {
  const { clock, copies, sent } = await copiesWithOne()
  copies.close()
  clock.jump(3_000)
  await expect(copies.read('line', 1_000)).rejects.toMatchObject({ code: 'STARTING' })
  await expect(copies.writeOwned('line', 1_000, () => null)).rejects.toMatchObject({ code: 'STARTING' })
  copies.receive('n1', { type: 'view', term: 1 })
  const { length } = sent
  await clock.pass(10_000)
  expect(sent.length).toBe(length)
  expect(clock.waiting).toBe(0)
})
