/** Whole clusters under chaos, in CI: a few seeds of the simulator; and that a seed is a run, here and in another process. */
import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { loadHash } from '../io/hash.ts'
import { runSeed } from './run.ts'

const SAFETY_MS = 8_000
const hash = await loadHash()

describe('the simulator', () => {
  // The last two: an acknowledgement that is heard after the disk behind it was lost.
  test.each([1, 2, 3, 4, 21_091, 21_439])('seed %i: safe under chaos, live once it is over, every history linearizable', async (seed) => {
    const { failure, operations, faults, inconclusive } = await runSeed(seed, hash, { safetyMs: SAFETY_MS })
    expect(failure).toBeNull()
    expect(operations).toBeGreaterThan(0)
    expect(faults.size).toBeGreaterThan(0)
    expect(inconclusive).toBe(0)
  })

  test('the same seed is the same run, event for event, also in a fresh process', async () => {
    const run = await runSeed(7, hash, { safetyMs: SAFETY_MS })
    const again = await runSeed(7, hash, { safetyMs: SAFETY_MS })
    expect([again.hash, again.events]).toEqual([run.hash, run.events])
    expect((await runSeed(8, hash, { safetyMs: SAFETY_MS })).hash).not.toBe(run.hash)
    const output = execFileSync(process.execPath, [
      'dist/src/sim/main.js',
      '--seed',
      '7',
      '--count',
      '1',
      '--safety',
      String(SAFETY_MS),
      '--hashes',
    ])
    expect(output.toString()).toContain(`seed 7 ${run.hash} ${run.events} events`)
  })
})
