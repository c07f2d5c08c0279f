/** What a write has to hold against, judged alike by the machine and by an owner that writes on its own. */
import { type Refused, invalid, refuse } from '../../base/refusal.ts'
import type { Condition } from '../types.ts'

const INTEGER = /^-?(0|[1-9]\d{0,15})$/
const INTEGER_BYTES_MAX = 20
const TO_TEXT = new TextEncoder()
const FROM_TEXT = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true })

/** `version`: of what is there, 0: nothing. Null: the condition holds. */
export function mismatchOf(condition: Condition, version: number): Refused | null {
  const holds =
    condition === null || (condition === 'absent' ? version === 0 : condition === 'present' ? version !== 0 : version === condition)
  if (holds) return null
  return refuse('VERSION_MISMATCH', version === 0 ? 'there is none' : `it is at version ${version}`, { version })
}

/** `before` null: there is nothing, which counts as 0. */
export function sumOf(before: Uint8Array | null, by: number): number | Refused {
  const sum = (before === null ? 0 : integerIn(before)) + by
  if (Number.isNaN(sum)) return invalid('key', 'what it holds is no integer from -(2^53 - 1) to 2^53 - 1')
  return Number.isSafeInteger(sum) ? sum : invalid('by', 'the sum is beyond 2^53')
}

/** What a sum is kept as. */
export const SUM_TYPE = 'application/json'

export function bytesOfSum(sum: number): Uint8Array {
  return TO_TEXT.encode(String(sum))
}

/** NaN: it is none, or one that a number may not hold as it stands there. */
function integerIn(value: Uint8Array): number {
  const text = value.length > INTEGER_BYTES_MAX ? '' : FROM_TEXT.decode(value)
  const integer = INTEGER.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(integer) ? integer : Number.NaN
}
