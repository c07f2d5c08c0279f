/**
 * Answers come from whichever node leads, perhaps of another version: one that cannot be read is an outcome that nobody knows,
 * and no bug of the node that asked. Everything that takes an answer apart goes through here.
 */
import type { Plain } from '../actors/envelope.ts'
import { TricordError, isErrorCode } from '../base/errors.ts'

interface Said {
  readonly code: unknown
  readonly message: unknown
  readonly details: unknown
}

export function unreadable(what: string): TricordError {
  return new TricordError('UNKNOWN_OUTCOME', `the answer of the leader cannot be read: ${what}; is it of another version?`)
}

/** What `read` makes of an answer; where it throws, that is said as a refusal. */
export function readOr<T>(read: () => T): T | TricordError {
  try {
    return read()
  } catch (error) {
    return unreadable(error instanceof Error ? error.message : String(error))
  }
}

/** A refusal that came as data. */
export function refusalOf({ code, message, details }: Said): TricordError {
  const isKnown = typeof code === 'string' && isErrorCode(code) && typeof message === 'string'
  if (!isKnown || typeof details !== 'object' || details === null) return unreadable('a refusal')
  return new TricordError(code, message, details as Readonly<Record<string, unknown>>)
}

/** A view is an object, a refusal a tuple: null for anything else. */
export function isViewOrTuple(reply: Plain | undefined): reply is Plain & object {
  return typeof reply === 'object' && reply !== null && !(reply instanceof Uint8Array)
}
