/** What a node counts as its copies: what may be read, and what that costs. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { LEASE_MS, awayBed } from '../../../test/cache/away-bed.ts'
import type { Held } from '../coherence/protocol.ts'
import { configLine, entryLine } from '../line-id.ts'
import { KeptLines } from './kept-lines.ts'

const VALUE_BYTES = 256
const held = (): Held => ({
  version: 1,
  value: new Uint8Array(VALUE_BYTES).fill(1),
  contentType: 'text/plain',
  ttlLeftMs: null,
  slidingMs: 0,
  tags: [],
})
const lineOf = (cache: string, key: string) => entryLine('default', cache, key)

test('copies are counted as long as their session lasts, and again once they come again', async () => {
  const { coherence, clock, fetch } = awayBed(1_000_000)
  const count = (cache: string) => coherence.kept.ofCache(lineOf(cache, ''))
  for (const key of ['a', 'b']) await fetch(lineOf('orders', key), held())
  await fetch(lineOf('other', 'a'), held())
  await fetch(configLine('default', 'orders'), held())
  expect([count('orders'), count('other'), coherence.stats().lines.S]).toEqual([2, 1, 4])
  // Nobody reads meanwhile: nothing looks at the lease.
  clock.jump(LEASE_MS)
  expect([count('orders'), count('other'), coherence.stats().lines.S]).toEqual([0, 0, 0])
  await fetch(lineOf('orders', 'b'), held())
  expect([count('orders'), count('other'), coherence.stats().lines.S]).toEqual([1, 0, 1])
  coherence.close()
})

test('a copy of a session that is over is not taken off those of the next one', () => {
  const epochs = [1, 1]
  const kept = new KeptLines((partition) => epochs[partition] ?? null)
  kept.note(0, 1, lineOf('orders', 'a'), 1)
  kept.note(1, 1, lineOf('orders', 'b'), 1)
  epochs[0] = 2
  kept.note(0, 2, lineOf('orders', 'c'), 1)
  kept.note(0, 1, lineOf('orders', 'a'), -1)
  expect([kept.total(), kept.ofCache(lineOf('orders', ''))]).toEqual([2, 2])
  kept.note(0, 2, lineOf('orders', 'c'), -1)
  expect([kept.total(), kept.ofCache(lineOf('orders', ''))]).toEqual([1, 1])
})

test('a copy is counted for about what it takes', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const memory = (): number => {
    collect()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const count = 20_000
  const { coherence, sent, fetch } = awayBed(2 ** 30)
  const fill = async (from: number, to: number): Promise<void> => {
    for (let nth = from; nth < to; nth++) await fetch(lineOf('orders', `user/${nth}/profile`), held())
    sent.length = 0
  }
  await fill(0, 1_000)
  const [before, counted] = [memory(), coherence.store.bytes]
  await fill(1_000, count)
  const ratio = (memory() - before) / (coherence.store.bytes - counted)
  expect(ratio).toBeGreaterThan(0.8)
  expect(ratio).toBeLessThan(1.18)
  coherence.close()
})
