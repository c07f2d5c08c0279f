/** The hand-written checks take nothing that the schemas do not take, and with the same value. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { z } from 'zod'
import { LIMITS, MODES } from '../../lock/types.ts'
import { acquireBody, releaseBody, renewBody } from '../schemas.ts'
import { type Members, bodyOf } from './call.ts'
import { quickAcquire, quickRelease, quickRenew } from './hot-bodies.ts'

const junk = fc.oneof(fc.anything(), fc.constantFrom<unknown>('', -0, 0.5, NaN, Infinity, 2 ** 53, null, [], 'read', '__proto__'))
const integer = (min: number, max: number) =>
  fc.oneof({ weight: 12, arbitrary: fc.constantFrom<unknown>(min, max, 5_000, 5_000, min - 1, max + 1) }, { weight: 1, arbitrary: junk })
const text = (lengthMax: number) =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom<unknown>('a', 'b', 'g_1', 'x'.repeat(lengthMax), 'x'.repeat(lengthMax + 1), '') },
    { weight: 1, arbitrary: junk },
  )
const envelope = { id: fc.integer(), op: fc.constant('lock.x'), name: fc.string(), namespace: fc.string(), idempotencyKey: fc.string() }
const members = (shape: Record<string, fc.Arbitrary<unknown>>) =>
  fc
    .tuple(
      fc.record({ ...envelope, ...shape }, { requiredKeys: [] }),
      fc.option(fc.dictionary(fc.string(), junk, { maxKeys: 2 }), { freq: 1 }),
    )
    .map(([known, more]) => ({ ...known, ...more }) as Members)

const acquire = members({
  owner: text(LIMITS.ownerLengthMax),
  waitMs: integer(0, LIMITS.waitMsMax),
  leaseMs: integer(LIMITS.leaseMsMin, LIMITS.leaseMsMax),
  mode: fc.oneof({ weight: 12, arbitrary: fc.constantFrom<unknown>(...MODES, 'read', 'no-such') }, { weight: 1, arbitrary: junk }),
})
const grant = { grantId: text(64), leaseMs: integer(LIMITS.leaseMsMin, LIMITS.leaseMsMax) }

test.each<[string, fc.Arbitrary<Members>, (members: Members) => unknown, z.ZodType]>([
  ['acquire', acquire, quickAcquire, acquireBody],
  ['release', members({ grantId: grant.grantId }), quickRelease, releaseBody],
  ['renew', members(grant), quickRenew, renewBody],
])('%s', (_name, arbitrary, quick, schema) => {
  let taken = 0
  fc.assert(
    fc.property(arbitrary, (request) => {
      const body = quick(request)
      if (body === null) return
      taken++
      const parsed = schema.safeParse(bodyOf(request, true))
      expect(parsed).toEqual({ success: true, data: body })
    }),
    { numRuns: 5_000 },
  )
  // A check that takes nothing would be right, and useless.
  expect(taken).toBeGreaterThan(200)
})
