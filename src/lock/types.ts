/**
 * The words of the lock manager: commands that go through the log of the `locks` group, their replies, reads.
 * The only file of `lock/` that the API, the SDK and the CLI may see. Semantics: `reference/locks.md` 2.1 to 2.7.
 *
 * Sessions are proved by a bearer secret that never enters the log: the gateway hashes it (`proof`).
 */
import type { Millis } from '../base/ids.ts'
import type { TricordError } from '../base/errors.ts'
import type { Refused } from '../base/refusal.ts'

/** Multi-granularity modes (Gray 1976), public names. */
export const MODES = ['intent-shared', 'intent-exclusive', 'shared', 'shared-intent-exclusive', 'update', 'exclusive'] as const
export type Mode = (typeof MODES)[number]

/** Strings to strings and the like; at most `LIMITS.metadataBytesMax` as JSON. */
export type Metadata = Readonly<Record<string, string | number | boolean | null>>

export const LIMITS = {
  nameLengthMax: 256,
  ownerLengthMax: 256,
  metadataBytesMax: 1024,
  itemsMax: 32,
  waitMsMax: 60_000,
  leaseMsMin: 1_000,
  leaseMsMax: 86_400_000,
  sessionTtlMsMin: 1_000,
  sessionTtlMsMax: 86_400_000,
  priorityMax: 9,
  reentryMax: 64,
  waitersPerLockMax: 10_000,
  grantsMax: 10_000_000,
  waitersMax: 200_000,
  sessionsMax: 200_000,
  /** Holders, and waiters, that one status shows; `queueLength` and `holderCount` tell the whole. */
  statusEntriesMax: 1_000,
  /** Holders named in a refusal. */
  refusalHoldersMax: 16,
  sessionListMax: 1_000,
  /** Deadlines that pass in one entry; what is due beyond them lives until the next. */
  expiriesPerEntryMax: 1_000,
} as const

/** A claim to be a session: its id and the hash of its secret. */
export interface SessionProof {
  readonly id: string
  readonly proof: string
}

export interface AcquireItem {
  readonly name: string
  readonly mode: Mode
}

export interface AcquireCommand {
  readonly type: 'lock_acquire'
  readonly namespace: string
  /** 1 to 32, names distinct: granted together or not at all, nothing held while waiting. */
  readonly items: readonly AcquireItem[]
  /** The session that will own the grants, or null: an implicit one per grant, proved by `implicitProof`. */
  readonly session: SessionProof | null
  readonly implicitProof: string
  /** '' : a fresh owner of its own (no two such calls are the same owner). */
  readonly owner: string
  readonly waitMs: Millis
  readonly leaseMs: Millis
  readonly priority: number
  readonly reentrant: boolean
  readonly metadata: Metadata | null
}
export interface ReleaseCommand {
  readonly type: 'lock_release'
  readonly namespace: string
  readonly name: string
  readonly grantId: string
  readonly session: SessionProof | null
}
export interface RenewCommand {
  readonly type: 'lock_renew'
  readonly namespace: string
  readonly name: string
  readonly grantId: string
  readonly session: SessionProof | null
  /** null: the lease it was granted with. */
  readonly leaseMs: Millis | null
}
export interface OpenSessionCommand {
  readonly type: 'session_open'
  readonly namespace: string
  readonly proof: string
  readonly ttlMs: Millis
  /** Past its TTL it waits for nothing any more, but lives until the leases of its grants have ended: a connection's. */
  readonly lingers: boolean
  readonly name: string
  readonly metadata: Metadata | null
}
export interface KeepaliveCommand {
  readonly type: 'session_keepalive'
  readonly session: SessionProof
}
export interface CloseSessionCommand {
  readonly type: 'session_close'
  readonly session: SessionProof
}
export type LockCommand = AcquireCommand | ReleaseCommand | RenewCommand | OpenSessionCommand | KeepaliveCommand | CloseSessionCommand

/** Whether a session is that of one grant, opened with it (`s_` + the grant's id). */
export function isImplicit(session: string): boolean {
  return session.startsWith('s_g_')
}

export interface GrantView {
  readonly name: string
  readonly mode: Mode
  readonly owner: string
  readonly grantId: string
  /** Fencing token: +1 per grant over all locks, never reused, below 2^53. */
  readonly token: number
  /** Id of the owning session (the gateway appends the secret of an implicit one). */
  readonly session: string
  readonly leaseMs: Millis
  readonly remainingMs: Millis
  /** Re-entries: 1 for a first grant. */
  readonly count: number
}
export interface HolderView {
  readonly owner: string
  readonly mode: Mode
  readonly grantId: string
  readonly token: number
  readonly count: number
  readonly heldMs: Millis
  readonly remainingMs: Millis
  readonly metadata: Metadata
}
export interface WaiterView {
  readonly owner: string
  readonly mode: Mode
  /** 1 is next. */
  readonly position: number
  readonly priority: number
  readonly waitedMs: Millis
}

export type LockReply =
  | { readonly type: 'granted'; readonly grants: readonly GrantView[]; readonly waitedMs: Millis }
  | { readonly type: 'released'; readonly count: number; readonly heldMs: Millis }
  | { readonly type: 'renewed'; readonly remainingMs: Millis; readonly token: number }
  | { readonly type: 'opened'; readonly session: string; readonly ttlMs: Millis }
  | { readonly type: 'alive'; readonly remainingMs: Millis }
  | { readonly type: 'closed'; readonly released: number }
  | Refused

export type Answered = Exclude<LockReply, Refused>

export interface LockStatus {
  readonly name: string
  readonly state: 'free' | 'held'
  /** The strongest mode held; null when free. */
  readonly mode: Mode | null
  readonly holders: readonly HolderView[]
  readonly waiters: readonly WaiterView[]
  readonly queueLength: number
  readonly holderCount: number
}
export interface SessionView {
  readonly id: string
  readonly name: string
  readonly ttlMs: Millis
  readonly remainingMs: Millis
  readonly grants: number
  readonly waits: number
  readonly metadata: Metadata
}

export type LockQuery =
  | { readonly type: 'lock_status'; readonly namespace: string; readonly name: string }
  | { readonly type: 'session_list'; readonly namespace: string; readonly cursor: string; readonly limit: number }
  | { readonly type: 'lock_stats' }

export interface LockStats {
  readonly grants: number
  readonly locks: number
  readonly waiters: number
  readonly sessions: number
}

/** Caller options of one command on its way through the log. */
export interface CommandOptions {
  readonly timeoutMs: Millis
  readonly idempotencyKey?: { readonly key: string; readonly fingerprint: string }
  readonly traceparent?: string
}

/** What the API sees of the lock manager. Implemented by `facade.ts` over a Proposer. */
export interface Locks {
  /** Hot path: `done` once, later. Refusals come as TricordError. */
  submit(command: LockCommand, options: CommandOptions, done: (reply: Answered | TricordError) => void): { cancel(): void }
  /** What became of the command that was submitted under this idempotency key, on whatever node. `unknown`: none is known. */
  outcome(key: string, timeoutMs: Millis): Promise<Answered | TricordError | 'waiting' | 'unknown'>
  status(
    namespace: string,
    name: string,
    options: { readonly timeoutMs: Millis; readonly consistency: 'linearizable' | 'stale'; readonly traceparent?: string },
  ): Promise<LockStatus>
  sessions(
    namespace: string,
    cursor: string,
    limit: number,
    timeoutMs: Millis,
  ): Promise<{ readonly sessions: readonly SessionView[]; readonly cursor: string | null }>
}
