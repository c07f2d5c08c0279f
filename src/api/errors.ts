/** Refusals as HTTP: a status for every code (total by type), and the problem object of RFC 9457. */
import { type ErrorCode, TricordError } from '../base/errors.ts'

type Status = 400 | 401 | 403 | 404 | 409 | 410 | 412 | 413 | 415 | 422 | 423 | 429 | 503 | 504 | 507

export const STATUS: Record<ErrorCode, Status> = {
  INVALID_ARGUMENT: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_OWNER: 403,
  NOT_FOUND: 404,
  NO_SUCH_QUEUE: 404,
  NO_SUCH_MESSAGE: 404,
  NO_LEADER: 404,
  DEADLOCK_VICTIM: 409,
  UPGRADE_CONFLICT: 409,
  LOCK_ORDER: 409,
  OWNER_BUSY: 409,
  ALREADY_HELD: 409,
  STALE_GRANT: 409,
  BARRIER_BROKEN: 409,
  STALE_TOKEN: 409,
  CONFIG_CONFLICT: 409,
  SESSION_EXPIRED: 410,
  LEASE_EXPIRED: 410,
  REVOKED: 410,
  FENCED: 412,
  VERSION_MISMATCH: 412,
  TOKEN_MISMATCH: 412,
  TOO_LARGE: 413,
  UNSUPPORTED_TYPE: 415,
  IDEMPOTENCY_KEY_REUSED: 422,
  CROSS_PARTITION: 422,
  LOCK_HELD: 423,
  WAIT_TIMEOUT: 423,
  QUOTA: 429,
  RATE_LIMITED: 429,
  QUEUE_FULL: 429,
  OVERLOADED: 429,
  NO_QUORUM: 503,
  STARTING: 503,
  READ_ONLY: 503,
  UNKNOWN_OUTCOME: 504,
  DISK_LOW: 507,
}

export const RETRY_AFTER_SECONDS = 1

export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly outcome: string
  readonly requestId: string
}

/** `NOT_OWNER` -> `Not owner`. */
function titleOf(code: ErrorCode): string {
  const words = code.toLowerCase().replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

export function toProblem(error: TricordError, requestId: string, status: number = STATUS[error.code]): Problem {
  const { code, message: detail, retryable, outcome, details } = error
  const type = `https://tricord.dev/problems/${code.toLowerCase().replaceAll('_', '-')}`
  const errors = code === 'INVALID_ARGUMENT' && !details['errors'] ? { errors: [{ path: 'request', message: detail }] } : {}
  return { ...errors, ...details, type, title: titleOf(code), status, detail, code, retryable, outcome, requestId }
}

/** The problem as an answer; `status` only where HTTP itself has a closer one (405). */
export function problemResponse(error: TricordError, requestId: string, headers: Record<string, string>, status?: number): Response {
  const problem = toProblem(error, requestId, status)
  const retry: Record<string, string> =
    problem.status === 429 || problem.status === 503 ? { 'retry-after': String(RETRY_AFTER_SECONDS) } : {}
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { ...headers, ...retry, 'content-type': 'application/problem+json' },
  })
}

export interface FieldError {
  readonly path: string
  readonly message: string
}

export function invalid(errors: readonly FieldError[]): TricordError {
  const [first] = errors
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : ''
  return new TricordError('INVALID_ARGUMENT', first ? `${first.path}: ${first.message}${more}` : 'invalid request', { errors })
}
