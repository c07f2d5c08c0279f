/**
 * The one table of refusals. Failure comes in three kinds (DESIGN 7): an *outcome* is a member of a
 * reply union, a *bug* is an AssertionError, and everything else is a TricordError with a code from
 * this table. HTTP statuses come from a second, total table in `api/errors.ts`.
 */

/** `retryable`: the same request may succeed later without a change by the caller. */
interface ErrorTraits {
  readonly retryable: boolean
}

export const ERRORS = {
  INVALID_ARGUMENT: { retryable: false },
  UNAUTHENTICATED: { retryable: false },
  FORBIDDEN: { retryable: false },
  NOT_OWNER: { retryable: false },
  NOT_FOUND: { retryable: false },
  NO_SUCH_QUEUE: { retryable: false },
  NO_SUCH_MESSAGE: { retryable: false },
  NO_LEADER: { retryable: true },
  DEADLOCK_VICTIM: { retryable: true },
  UPGRADE_CONFLICT: { retryable: false },
  LOCK_ORDER: { retryable: false },
  OWNER_BUSY: { retryable: true },
  ALREADY_HELD: { retryable: false },
  STALE_GRANT: { retryable: false },
  BARRIER_BROKEN: { retryable: false },
  STALE_TOKEN: { retryable: false },
  CONFIG_CONFLICT: { retryable: false },
  SESSION_EXPIRED: { retryable: false },
  LEASE_EXPIRED: { retryable: false },
  REVOKED: { retryable: false },
  FENCED: { retryable: false },
  VERSION_MISMATCH: { retryable: false },
  TOKEN_MISMATCH: { retryable: false },
  TOO_LARGE: { retryable: false },
  UNSUPPORTED_TYPE: { retryable: false },
  IDEMPOTENCY_KEY_REUSED: { retryable: false },
  CROSS_PARTITION: { retryable: false },
  LOCK_HELD: { retryable: true },
  WAIT_TIMEOUT: { retryable: true },
  QUOTA: { retryable: true },
  RATE_LIMITED: { retryable: true },
  QUEUE_FULL: { retryable: true },
  OVERLOADED: { retryable: true },
  NO_QUORUM: { retryable: true },
  STARTING: { retryable: true },
  READ_ONLY: { retryable: true },
  UNKNOWN_OUTCOME: { retryable: true },
  DISK_LOW: { retryable: true },
} as const satisfies Record<string, ErrorTraits>

export type ErrorCode = keyof typeof ERRORS

/** Whether a refused request is known to have had no effect. */
export type Outcome = 'not-applied' | 'unknown'

/** A refusal that travels to the caller. `details` are the code's own members of the problem object. */
export class TricordError extends Error {
  override readonly name = 'TricordError'
  readonly code: ErrorCode
  readonly outcome: Outcome
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: ErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}, outcome?: Outcome) {
    super(message)
    this.code = code
    this.outcome = outcome ?? (code === 'UNKNOWN_OUTCOME' ? 'unknown' : 'not-applied')
    this.details = details
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable
  }
}

/** Whether `code` is a member of the table (codes arrive as strings from other nodes). */
export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code)
}
