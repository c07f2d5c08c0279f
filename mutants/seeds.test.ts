/** Runs inside of a planted copy: the simulator over the seeds of MUTANT_SEEDS, up to the first failure. */
import { expect, it } from 'vitest'
import { loadHash } from '../src/io/hash.ts'
import { WORKLOADS } from '../src/sim/options.ts'
import { runSeed } from '../src/sim/run.ts'

const {
  MUTANT_SEEDS = '1',
  MUTANT_SAFETY_MS = '12000',
  MUTANT_QUIET = 'false',
  MUTANT_WORKLOAD = 'locks',
  MUTANT_DRIFT_PPM = '',
  MUTANT_WRITEBACK = '',
  MUTANT_LENDING = 'false',
} = process.env

it('simulator', async () => {
  const hash = await loadHash()
  for (const seed of MUTANT_SEEDS.split(',').map(Number)) {
    const workload = WORKLOADS.find((one) => one === MUTANT_WORKLOAD) ?? 'locks'
    const drift = MUTANT_DRIFT_PPM === '' ? {} : { driftPpm: Number(MUTANT_DRIFT_PPM) }
    const writeback = MUTANT_WRITEBACK === '' ? {} : { writeback: MUTANT_WRITEBACK === 'true' }
    const [quiet, lending] = [MUTANT_QUIET === 'true', MUTANT_LENDING === 'true']
    const how = { safetyMs: Number(MUTANT_SAFETY_MS), quiet, workload, lending, ...drift, ...writeback }
    const { failure } = await runSeed(seed, hash, how)
    expect(failure === null ? null : `seed ${seed}: ${failure.message}`).toBeNull()
  }
})
