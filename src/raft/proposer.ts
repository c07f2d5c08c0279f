/**
 * How the floors above reach a group: commands exactly once, reads linearizable. One per actor system (so the
 * gateway thread has its own). It batches what one turn submits into one `propose` envelope per group, sends it to
 * the node's own `raft` actor (which forwards to the leader), and repeats it under the same (client, sequence) after
 * a failover until the deadline: the request table of the group answers a repetition without a second effect.
 */
import type { Plain } from '../actors/envelope.ts'
import type { TricordError } from '../base/errors.ts'
import type { GroupId, Millis } from '../base/ids.ts'

/** A caller's own key for a request, kept by the group for 10 minutes of cluster time. */
export interface IdempotencyKey {
  /** Namespace, operation scope and key, joined; at most 512 bytes. */
  readonly key: string
  /** Hash of the request's meaning: the same key with another hash is IDEMPOTENCY_KEY_REUSED. */
  readonly fingerprint: string
}

export interface SubmitOptions {
  /** How long to wait for the answer. Then: UNKNOWN_OUTCOME, or NO_QUORUM where no leader ever took the command. */
  readonly timeoutMs: Millis
  readonly key?: IdempotencyKey
  readonly traceparent?: string
  /** It frees space, or keeps what is held: taken while the disk of the leader is low, when others are refused with DISK_LOW. */
  readonly essential?: boolean
}

export type SubmitResult = { readonly ok: true; readonly reply: Plain } | { readonly ok: false; readonly error: TricordError }

/** `unknown`: never taken, or answered more than 10 minutes ago. */
export type KeyOutcome = { readonly state: 'unknown' | 'waiting' } | { readonly state: 'answered'; readonly result: SubmitResult }

/** A command on its way. `cancel` gives up a *waiting* one: it is taken out of its queue through the log. */
export interface Submission {
  cancel(): void
}

export interface QueryOptions {
  readonly timeoutMs: Millis
  /** `linearizable`: at the leader after a read-index round. `stale`: any replica, at once. */
  readonly consistency: 'linearizable' | 'stale'
  readonly traceparent?: string
}

export interface Proposer {
  /** Hot path: no promise. `done` is called exactly once, never within the call. */
  submit(group: GroupId, command: Uint8Array, options: SubmitOptions, done: (result: SubmitResult) => void): Submission
  query(group: GroupId, request: Plain, options: QueryOptions): Promise<QueryAnswer>
  /** What became of the command that was submitted under an idempotency key, by whomever. */
  outcome(group: GroupId, key: string, options: QueryOptions): Promise<KeyOutcome>
  /** Commands submitted and unanswered. */
  readonly pending: number
  close(): void
}

export interface QueryAnswer {
  readonly reply: Plain
  /** Where the answering replica stood. */
  readonly appliedIndex: number
  readonly time: Millis
}
