/**
 * The core under chaos: random networks, disks and memberships, with Figure 3 of the paper checked after every event,
 * and progress demanded once the faults stop. A failing seed is repeated by `CHAOS_SEED=<n>`;
 * with `CHAOS_COUNT=<m>` as well, m seeds from there.
 */
import { expect, test } from 'vitest'
import { Chaos } from '../../../test/scenarios/chaos.ts'

const only = process.env['CHAOS_SEED']
const first = only === undefined ? 1 : Number(only)
const count = Number(process.env['CHAOS_COUNT'] ?? (only === undefined ? 200 : 1))

test(`safe under chaos, alive after it (${count} seeds from ${first})`, () => {
  let committed = 0
  let answered = 0
  for (let seed = first; seed < first + count; seed++) {
    try {
      const result = new Chaos(seed).run(5000)
      committed += result.committed
      answered += result.answered
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  }
  // A harness in which nothing happens would pass everything else.
  if (count >= 200) expect(committed / count).toBeGreaterThan(20)
  if (count >= 200) expect(answered / count).toBeGreaterThan(1)
})

test('the same seed gives the same run', () => {
  for (let seed = 1; seed <= 5; seed++) expect(new Chaos(seed).run(800)).toEqual(new Chaos(seed).run(800))
})
