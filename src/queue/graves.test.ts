import { expect, test } from 'vitest'
import { Bed } from '../../test/queue/bed.ts'
import { LANES_PER_DIG, PACE_MS } from './graves.ts'
import { LANE, NOTE, RUNS } from './kinds.ts'
import { PAGE_MESSAGES } from './presence.ts'

const NAME = { namespace: 'default', queue: 'q' }
const BATCH = 256
const GROUPED = 40

function enqueue(bed: Bed, delayMs: number, group = ''): void {
  const one = { body: Uint8Array.of(1), group, dedupId: '', delayMs, priority: 0, ttlMs: 0 }
  bed.run({ type: 'queue_enqueue', ...NAME, messages: Array.from({ length: BATCH }, () => one) })
}

/** What one more drain writes and deletes. */
function drained(bed: Bed): number {
  const [before, cold] = [new Map(bed.store), bed.cold.size]
  bed.drain()
  const keys = new Set([...before.keys(), ...bed.store.keys()])
  return [...keys].filter((key) => before.get(key) !== bed.store.get(key)).length + Math.abs(bed.cold.size - cold)
}

const recordsIn = ({ store }: Bed, kind: number) => [...store.keys()].filter((key) => Number.parseInt(key.slice(0, 2), 16) === kind).length
const notesIn = (bed: Bed) => recordsIn(bed, NOTE)
const inOrder = (keys: string[]) => keys
const reversed = (keys: string[]) => keys.toReversed()

test.each(['purge', 'delete'] as const)('after a %s the notes go page by page, over a restart too, and none comes back', (how) => {
  const bed = new Bed()
  const { check } = bed.machine
  bed.machine.check = () => {}
  for (let nth = 0; nth < 50; nth++) enqueue(bed, 1_000)
  for (let nth = 0; nth < GROUPED; nth++) enqueue(bed, 1_000, `g${nth}`)
  bed.drain()
  // Not stored when it goes.
  enqueue(bed, 1_000)
  bed.machine.check = check
  const all = BATCH * (50 + GROUPED + 1)
  bed.run({ type: `queue_${how}`, ...NAME })
  const twin = bed.copy()
  expect(notesIn(bed)).toBe(all)
  enqueue(bed, 500)
  for (const sort of [inOrder, reversed]) {
    const copy = bed.copy(sort)
    expect(copy.status(NAME)).toMatchObject({ total: BATCH, delayed: BATCH })
    let most = 0
    for (let nth = 0; nth <= all / PAGE_MESSAGES + 1; nth++) {
      copy.pass(PACE_MS)
      most = Math.max(most, drained(copy))
    }
    expect(most).toBeLessThan(3 * PAGE_MESSAGES)
    expect([notesIn(copy), copy.cold.size]).toEqual([BATCH, BATCH])
    copy.pass(1_000)
    expect(copy.status(NAME)).toMatchObject({ total: BATCH, ready: BATCH })
  }
  for (let nth = 0; nth <= all / PAGE_MESSAGES + 1; nth++) twin.pass(PACE_MS)
  twin.drain()
  expect([notesIn(twin), twin.cold.size]).toEqual([0, 0])
})

/** Two messages each, so that there are pages of runs too: of the first groups each message is a run of its own. */
function enqueueGroups(bed: Bed, from: number, count: number): void {
  const one = { dedupId: '', delayMs: 0, priority: 0, ttlMs: 0 }
  for (let first = from; first < from + count; first += BATCH / 4) {
    const messages = Array.from({ length: BATCH }, (_, nth) => ({
      ...one,
      body: new Uint8Array(nth < BATCH / 2 ? 1 : 5_000),
      group: `g${first + (nth % (BATCH / 4))}`,
    }))
    bed.run({ type: 'queue_enqueue', ...NAME, messages })
  }
}

test.each(['purge', 'delete'] as const)('after a %s the groups go some at a time, the same on every replica', (how) => {
  const bed = new Bed()
  const { check } = bed.machine
  bed.machine.check = () => {}
  enqueueGroups(bed, 0, 5 * LANES_PER_DIG)
  bed.drain()
  // Some that are not stored when they go.
  enqueueGroups(bed, 5 * LANES_PER_DIG, 640)
  bed.machine.check = check
  const groups = recordsIn(bed, LANE)
  expect(groups).toBeGreaterThan(4 * LANES_PER_DIG)
  expect(recordsIn(bed, RUNS)).toBeGreaterThan(0)
  bed.run({ type: `queue_${how}`, ...NAME })
  // What a purge changes is little, whatever there was.
  expect(bed.machine.dirty).toBeLessThan(10_000)
  const copies = [bed.copy(inOrder), bed.copy(reversed)]
  const all = [bed, ...copies]
  for (const one of all) {
    enqueue(one, 0, 'g1')
    one.run({ type: 'queue_dequeue', ...NAME, max: 5, waitMs: 0, visibilityMs: null, consumer: '', watcher: '' })
  }
  // Once more, over what is not gone yet.
  for (const one of all) one.pass(PACE_MS)
  for (const one of all) one.run({ type: 'queue_purge', ...NAME })
  for (const one of all) enqueue(one, 0, 'g2')
  for (let nth = 0; bed.machine.nextDeadline() < Infinity; nth++) {
    const deadline = bed.machine.nextDeadline()
    for (const one of all) {
      expect(one.machine.nextDeadline()).toBe(deadline)
      expect(drained(one)).toBeLessThan(3 * PAGE_MESSAGES)
      one.pass(PACE_MS)
    }
    // In the middle of it another replica begins.
    if (nth === 2) all.push(bed.copy(inOrder), bed.copy(reversed))
  }
  for (const one of all) {
    one.drain()
    expect(one.store).toEqual(bed.store)
    expect([recordsIn(one, LANE), recordsIn(one, RUNS), one.cold.size]).toEqual([1, 0, BATCH])
    expect(one.status(NAME)).toMatchObject({ total: BATCH, ready: BATCH })
  }
})

test('of a purge a bounded number of lost leases is told, in the order of the messages', () => {
  const bed = new Bed()
  const { check } = bed.machine
  bed.machine.check = () => {}
  for (let nth = 0; nth < 5; nth++) enqueue(bed, 0)
  const dequeue = { type: 'queue_dequeue', ...NAME, max: BATCH, waitMs: 0, visibilityMs: null, consumer: '' } as const
  bed.run({ ...dequeue, watcher: '' })
  for (let nth = 0; nth < 4; nth++) bed.run({ ...dequeue, watcher: 'w#1' })
  bed.machine.check = check
  bed.run({ type: 'queue_purge', ...NAME })
  expect(bed.events).toHaveLength(1_000)
  expect(bed.events.map(({ token }) => token)).toEqual(Array.from({ length: 1_000 }, (_, nth) => BATCH + 1 + nth))
})
