/**
 * A hold of one lock by one owner, under a lease. There may be a million of them: fields are numbers and shared
 * references, lists are threaded through the grants themselves.
 *
 * Owner = (session, owner name). Without a session the grant has an implicit one of its own, proved by `proof`; a
 * nameless owner ('') is nobody else than this grant.
 */
import type { Millis } from '../base/ids.ts'
import type { Hashed } from './linear-hash.ts'
import type { Lock } from './lock.ts'
import type { ModeIndex } from './modes.ts'
import type { Session } from './session.ts'
import type { Timed } from '../base/deadlines.ts'
import type { Tracked } from '../base/changes.ts'

/** The low bits of order keys: what is due at the same time expires by id, then by kind. */
export const KINDS = 4
const KIND = 2

/** Low bits of a token: grants are hashed by them. */
export function hashToken(token: number): number {
  return token % 0x40000000
}

export class Grant implements Timed, Tracked, Hashed<Grant> {
  readonly lock: Lock
  readonly token: number
  readonly mode: ModeIndex
  /** null: implicit. */
  readonly session: Session | null
  /** Proof of the implicit session, '' when the session is explicit. */
  readonly proof: string
  readonly owner: string
  readonly grantedAt: Millis
  readonly leaseMs: Millis
  readonly metadata: string
  deadline: Millis
  /** Entries: 1, and one more for each re-entry. */
  count: number
  place = -1
  dirtyAt = -1
  stored = false
  next: Grant | null = null
  /** Neighbours among the grants of an explicit session. */
  before: Grant | null = null
  after: Grant | null = null

  constructor(
    lock: Lock,
    token: number,
    mode: ModeIndex,
    session: Session | null,
    proof: string,
    owner: string,
    grantedAt: Millis,
    leaseMs: Millis,
    deadline: Millis,
    count: number,
    metadata: string,
  ) {
    this.lock = lock
    this.token = token
    this.mode = mode
    this.session = session
    this.proof = proof
    this.owner = owner
    this.grantedAt = grantedAt
    this.leaseMs = leaseMs
    this.deadline = deadline
    this.count = count
    this.metadata = metadata
  }

  get order(): number {
    return this.token * KINDS + KIND
  }

  get hash(): number {
    return hashToken(this.token)
  }
}
