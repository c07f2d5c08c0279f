/**
 * The queue machine against the naive model: random lists of commands with jumps of time; every answer, every late answer in
 * its order, every event, every message of every queue compared after each step (`test/queue/run.ts`).
 *
 * QUEUE_MODEL_RUNS=20000 runs as many other lists.
 */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Run } from '../../test/queue/run.ts'
import { NAMES, type Step, step } from '../../test/queue/steps.ts'

const LONG = process.env['QUEUE_MODEL_RUNS']
const SEED = 5
const SETUP: readonly Step[] = [
  {
    type: 'put',
    name: NAMES[0],
    config: {
      visibilityMs: 1_000,
      maxDeliveries: 2,
      backoff: { baseMs: 100, factor: 2, jitter: 0 },
      dedupWindowMs: 500,
      maxLength: 100,
    },
  },
  {
    type: 'put',
    name: NAMES[1],
    config: { visibilityMs: 200, maxDeliveries: 2, backoff: { baseMs: 0 }, poison: 'block', overflow: 'drop-head', maxLength: 6 },
  },
]

test('the machine and the naive model cannot be told apart', { timeout: 900_000 }, () => {
  const seen = new Map<string, number>()
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }), (steps) => {
      const run = new Run(seen)
      for (const next of [...SETUP, ...steps]) run.take(next)
      run.compareStores()
    }),
    // In CI always the same lists, so that it is sure that they reach every kind of answer; many others by QUEUE_MODEL_RUNS.
    LONG === undefined ? { numRuns: 200, seed: SEED } : { numRuns: Number(LONG) },
  )
  if (LONG !== undefined) console.info(Object.fromEntries([...seen].sort()))
  const kinds = [
    ['put', 'enqueued', 'delivered', 'waits', 'settled', 'moved', 'purged', 'deleted', 'transacted'],
    ['NO_SUCH_QUEUE', 'QUEUE_FULL', 'CONFIG_CONFLICT', 'FENCED', 'STALE_TOKEN', 'LEASE_EXPIRED', 'NO_SUCH_MESSAGE', 'late NO_SUCH_QUEUE'],
    ['item ', 'item STALE_TOKEN', 'item LEASE_EXPIRED', 'item NO_SUCH_MESSAGE'],
    ['one', 'several', 'none', 'late one', 'late several', 'late none'],
    ['redelivered', 'checkpoint', 'deduplicated', 'redriven', 'lease lost'],
  ].flat()
  // The lists reached every kind of answer, or the comparison says little.
  expect(kinds.filter((kind) => !seen.has(kind))).toEqual([])
})
