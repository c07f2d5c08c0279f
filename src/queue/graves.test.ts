import { expect, test } from 'vitest'
import { Bed } from '../../test/queue/bed.ts'
import { NOTE } from './kinds.ts'
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

const notesIn = ({ store }: Bed) => [...store.keys()].filter((key) => Number.parseInt(key.slice(0, 2), 16) === NOTE).length

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
  for (const sort of [(keys: string[]) => keys, (keys: string[]) => keys.toReversed()]) {
    const copy = bed.copy(sort)
    expect(copy.status(NAME)).toMatchObject({ total: BATCH, delayed: BATCH })
    let most = 0
    for (let nth = 0; nth <= all / PAGE_MESSAGES + 1; nth++) {
      copy.pass(20)
      most = Math.max(most, drained(copy))
    }
    expect(most).toBeLessThan(3 * PAGE_MESSAGES)
    expect([notesIn(copy), copy.cold.size]).toEqual([BATCH, BATCH])
    copy.pass(1_000)
    expect(copy.status(NAME)).toMatchObject({ total: BATCH, ready: BATCH })
  }
  for (let nth = 0; nth <= all / PAGE_MESSAGES + 1; nth++) twin.pass(20)
  twin.drain()
  expect([notesIn(twin), twin.cold.size]).toEqual([0, 0])
})
