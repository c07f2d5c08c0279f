/**
 * What a replicated state machine is to the Raft host. Deterministic: same entries, same state, same
 * replies, on every replica. It reads no clock and no chance; time is `ctx.time`, which enters through the log.
 *
 * Exactly once: the host's request table (`host/requests.ts`) stands before every machine. A command that was
 * applied before is answered from the table and never reaches `apply` again.
 *
 * Persistence: the machine keeps its working copy in memory and remembers which records changed; the host
 * drains them into the key-value store, in one atomic batch with the applied index, off the critical path.
 */
import type { Plain } from '../actors/envelope.ts'
import type { LogIndex, Millis, Term } from '../base/ids.ts'

export interface ApplyContext {
  readonly index: LogIndex
  readonly term: Term
  /** Cluster time T, ms since the cluster was made; never goes back, stands still while there is no leader. */
  readonly time: Millis
  /** Answers a command whose `apply` returned null. At most once per ticket. */
  settle(ticket: number, reply: Plain): void
  /** Something observers may want to know. Every replica computes it, only the leader's watchers hear it. */
  emit(event: Plain): void
}

export interface StateMachine {
  /**
   * Applies one command. Returns its reply, or null: it waits, and `ctx.settle(ticket, …)` answers later. `ticket` is
   * unique in the group, rising, and survives failover (it is part of the replicated state).
   * A malformed command must not throw: it returns the machine's own error reply.
   */
  apply(ctx: ApplyContext, ticket: number, command: Uint8Array): Plain | null
  /** The caller of this waiting command is gone (its connection closed): take it out, settle it if it still waits. */
  cancel(ctx: ApplyContext, ticket: number): void
  /** Called before the commands of an entry: expire everything due at ctx.time, in order, at most a bounded number. */
  advance(ctx: ApplyContext): void
  /** The earliest time at which `advance` would do something; Infinity for never. The leader then proposes a tick. */
  nextDeadline(): Millis
  /** Answers a read from the current state. Never mutates. Malformed: the machine's own error reply. */
  query(request: Plain, time: Millis): Plain
  /** About how many bytes its records are, for those who plan a move; without it the host guesses by their number. */
  readonly stateBytes?: number
  /** How many records `drain` would write now. */
  readonly dirty: number
  /** Writes every record changed since the last drain (value null: deleted) and forgets that it did. Keys are unique in the machine. */
  drain(write: (key: Uint8Array, value: Uint8Array | null) => void): void
  /** Takes back one record, in any order; `loaded` ends it. Called on a fresh (or `reset`) machine only. */
  load(key: Uint8Array, value: Uint8Array): void
  loaded(): void
  /** Forgets everything: a snapshot from a peer follows as `load`s. */
  reset(): void
  /** Asserts the machine's invariants; for tests and the simulator (may be slow). */
  check(): void
}
