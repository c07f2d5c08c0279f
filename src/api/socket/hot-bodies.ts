/**
 * A hand-written check for the bodies of the hot operations: what it takes, the schema takes with the same value (a test
 * holds them equal); what it does not take is not refused here but given to the schema, which has the last word.
 */
import type { z } from 'zod'
import { LIMITS, MODES, type Mode } from '../../lock/types.ts'
import { type AcquireBody, acquireBody, isWellFormed, releaseBody, renewBody } from '../schemas.ts'
import { type Members, type SocketCall } from './call.ts'

type ReleaseBody = z.infer<typeof releaseBody>
type RenewBody = z.infer<typeof renewBody>
type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const GRANT_ID_LENGTH_MAX = 64
const MODE_NAMES: ReadonlySet<unknown> = new Set(MODES)
const ENVELOPE: ReadonlySet<string> = new Set(['id', 'op', 'name', 'namespace', 'idempotencyKey', 'traceparent'])

const isInteger = (value: unknown, min: number, max: number): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max
const isText = (value: unknown, lengthMax: number): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= lengthMax && isWellFormed(value)

export const acquireBodyOf = (call: SocketCall): AcquireBody => quickAcquire(call.members) ?? call.body(acquireBody, true)
export const releaseBodyOf = (call: SocketCall): ReleaseBody => quickRelease(call.members) ?? call.body(releaseBody, true)
export const renewBodyOf = (call: SocketCall): RenewBody => quickRenew(call.members) ?? call.body(renewBody, true)

export function quickAcquire(members: Members): AcquireBody | null {
  const body: Mutable<AcquireBody> = {}
  for (const key in members) {
    const value = members[key]
    if (key === 'owner') {
      if (!isText(value, LIMITS.ownerLengthMax)) return null
      body.owner = value
    } else if (key === 'waitMs') {
      if (!isInteger(value, 0, LIMITS.waitMsMax)) return null
      body.waitMs = value
    } else if (key === 'leaseMs') {
      if (!isInteger(value, LIMITS.leaseMsMin, LIMITS.leaseMsMax)) return null
      body.leaseMs = value
    } else if (key === 'mode') {
      if (!MODE_NAMES.has(value)) return null
      body.mode = value as Mode
    } else if (!ENVELOPE.has(key)) return null
  }
  return body
}

export function quickRelease(members: Members): ReleaseBody | null {
  const { grantId } = members
  if (!isText(grantId, GRANT_ID_LENGTH_MAX)) return null
  for (const key in members) if (key !== 'grantId' && !ENVELOPE.has(key)) return null
  return { grantId }
}

export function quickRenew(members: Members): RenewBody | null {
  const { grantId, leaseMs } = members
  if (!isText(grantId, GRANT_ID_LENGTH_MAX)) return null
  for (const key in members) if (key !== 'grantId' && key !== 'leaseMs' && !ENVELOPE.has(key)) return null
  if (leaseMs === undefined) return 'leaseMs' in members ? null : { grantId }
  return isInteger(leaseMs, LIMITS.leaseMsMin, LIMITS.leaseMsMax) ? { grantId, leaseMs } : null
}
