/**
 * The cache machine against the naive model: random lists of commands with jumps of time; every answer, every late answer in
 * its order, every change as an observer hears it, and what every line holds compared after each step (`test/cache/run.ts`).
 *
 * CACHE_MODEL_RUNS=20000 runs as many other lists.
 */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Run } from '../../../test/cache/run.ts'
import { step } from '../../../test/cache/steps.ts'

const LONG = process.env['CACHE_MODEL_RUNS']
const SEED = 1

test('the machine and the naive model cannot be told apart', { timeout: 900_000 }, () => {
  const seen = new Map<string, number>()
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60, size: 'max' }), (steps) => {
      const run = new Run(seen)
      for (const next of steps) run.take(next)
      run.compareStores()
    }),
    // In CI always the same lists, so that it is sure that they reach every kind of answer; many others by CACHE_MODEL_RUNS.
    LONG === undefined ? { numRuns: 300, seed: SEED } : { numRuns: Number(LONG) },
  )
  if (LONG !== undefined) console.info(Object.fromEntries([...seen].sort()))
  const kinds = [
    ['put', 'replaced', 'deleted', 'nothing deleted', 'incremented', 'touched', 'bumped', 'configured', 'limited', 'held', 'noted'],
    ['invalidated some', 'swept some', 'met an owner', 'owned', 'own', 'flushed', 'released', 'really released', 'copied'],
    ['found', 'stale', 'load', 'waits', 'late found', 'late load', 'late OWNER_BUSY', 'late owned', 'unjudged'],
    ['VERSION_MISMATCH', 'STALE_TOKEN', 'OWNER_BUSY', 'FENCED', 'INVALID_ARGUMENT', 'QUOTA', 'within its room'],
    ['put', 'delete', 'expire', 'evict', 'invalidate'].map((reason) => `change: ${reason}`),
  ].flat()
  // The lists reached every kind of answer, or the comparison says little.
  expect(kinds.filter((kind) => !seen.has(kind))).toEqual([])
})
