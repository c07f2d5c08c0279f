import { expect, test } from 'vitest'
import { Bed, NAME, SHARE, putOf } from '../../../test/cache/bed.ts'
import { encodeCommand } from './codec.ts'
import type { Share } from './commands.ts'

const share: Share = { ...SHARE, entries: 10, policy: 's3fifo' }

/** Ten that were used, so that they are in the main queue once something has to go. */
function settledIn(): Bed {
  const bed = new Bed()
  for (let nth = 0; nth < 10; nth++) bed.put(`k${nth}`, '1', { share })
  const keys = Array.from({ length: 10 }, (_, nth) => `k${nth}`)
  bed.touch(...keys)
  bed.touch(...keys)
  return bed
}

test('a scan pushes out nobody that is used', () => {
  const bed = settledIn()
  for (let nth = 0; nth < 500; nth++) bed.put(`scan${nth}`, '1', { share })
  const there = Array.from({ length: 10 }, (_, nth) => bed.get(`k${nth}`)).filter((value) => value !== null)
  expect(there.length).toBeGreaterThanOrEqual(9)
  expect(bed.status()).toMatchObject({ entries: 10 })
})

test('where all are used one goes, after so many looks at most', () => {
  const bed = new Bed()
  const many = { ...share, entries: 1_500 }
  const keys = Array.from({ length: 1_500 }, (_, nth) => `k${nth}`)
  for (const key of keys) bed.machine.apply(bed, ++bed.ticket, encodeCommand(putOf(key, '1', { share: many })))
  for (let round = 0; round < 3; round++) for (let from = 0; from < keys.length; from += 250) bed.touch(...keys.slice(from, from + 250))
  bed.drain()
  bed.put('one more', '1', { share: many })
  expect(bed.status()).toMatchObject({ entries: 1_500, evictions: 1 })
  // Each of them is written anew, with the use that it has left.
  expect(bed.machine.dirty).toBeLessThan(1_010)
})

test('where the least recently used goes first, it pushes out all', () => {
  const bed = settledIn()
  for (let nth = 0; nth < 10; nth++) bed.put(`scan${nth}`, '1', { share: { ...share, policy: 'lru', configVersion: 1 } })
  expect(bed.get('k9')).toBeNull()
})

test('who comes back soon after it went stays', () => {
  const bed = settledIn()
  bed.put('x', '1', { share })
  bed.put('y', '1', { share })
  expect(bed.get('x')).toBeNull()
  // A ghost: it goes to the main queue at once, and newcomers go before it. So does a replica made of records.
  const copy = bed.copy((keys) => keys.reverse())
  for (const each of [bed, copy]) {
    each.put('x', '2', { share })
    for (let nth = 0; nth < 20; nth++) each.put(`scan${nth}`, '1', { share })
    expect(each.get('x')).toBe('2')
  }
})

test('ghosts are forgotten, and their records go', () => {
  const bed = settledIn()
  for (let nth = 0; nth < 2_000; nth++) bed.put(`scan${nth}`, '1', { share })
  bed.drain()
  const ghosts = [...bed.store.keys()].filter((key) => key.startsWith('48'))
  expect(ghosts.length).toBeGreaterThan(0)
  expect(ghosts.length).toBeLessThanOrEqual(2)
  bed.run({ type: 'cache_limits', ...NAME, share: { ...share, policy: 'lru', configVersion: 1 } })
  bed.drain()
  expect([...bed.store.keys()].filter((key) => key.startsWith('48'))).toEqual([])
})

test('ghosts are no more than entries, however these went', () => {
  const bed = new Bed()
  const ghosts = (): number => [...bed.store.keys()].filter((key) => key.startsWith('48')).length
  for (let nth = 0; nth < 1_600; nth++) bed.put(`${nth}`, '1', { share: { ...share, entries: 800 } })
  bed.drain()
  // Of 64 keys each.
  expect(ghosts()).toBeGreaterThan(10)
  bed.run({ type: 'cache_sweep', ...NAME, what: { all: true }, below: 0, after: 0 })
  bed.drain()
  expect(ghosts()).toBeLessThanOrEqual(2)
})

test('what was just put is never what goes', () => {
  for (const policy of ['lru', 's3fifo'] as const) {
    const bed = new Bed()
    for (let nth = 0; nth < 50; nth++) {
      bed.put(`k${nth}`, 'x'.repeat(nth), { share: { ...share, policy, entries: 3, bytes: 60 } })
      expect(bed.get(`k${nth}`)).not.toBeNull()
    }
  }
})
