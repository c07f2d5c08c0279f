/** Refusals as data: what a machine answers where another part would throw. */
import type { ErrorCode } from './errors.ts'

export interface Refused {
  readonly type: 'refused'
  readonly code: ErrorCode
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
}

const NO_DETAILS = Object.freeze({})

export function refuse(code: ErrorCode, message: string, details: Readonly<Record<string, unknown>> = NO_DETAILS): Refused {
  return { type: 'refused', code, message, details }
}

/** INVALID_ARGUMENT about one member. */
export function invalid(path: string, message: string): Refused {
  return refuse('INVALID_ARGUMENT', `${path}: ${message}`, { errors: [{ path, message }] })
}
