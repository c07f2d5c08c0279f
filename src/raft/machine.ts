/**
 * What a replicated state machine is to the Raft host. Deterministic: same entries, same state, same
 * replies, on every replica. It reads no clock and no chance; time is `ctx.time`, which enters through the log.
 *
 * Exactly once: the host's request table (`host/requests.ts`) stands before every machine. A command that was
 * applied before is answered from the table and never reaches `apply` again.
 *
 * Persistence: the machine keeps its working copy in memory and remembers which records changed; the host
 * drains them into the key-value store, in one atomic batch with the applied index, off the critical path.
 *
 * What is too much for memory is *cold*: written in the same batch, and read back when an answer is about to leave.
 *
 *   apply, settle, query ──> bare reply ──> request table, other replicas
 *                                └──attach, with what it reads of the cold records──> the caller
 */
import type { Plain } from '../actors/envelope.ts'
import type { LogIndex, Millis, NodeId, Term } from '../base/ids.ts'

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

export type WriteRecord = (key: Uint8Array, value: Uint8Array | null) => void

/**
 * The values that a machine has drained as cold records. The host keeps a checksum with each, so what `get` gives is
 * what was written; that a record is there at all is the machine's to know.
 */
export interface ColdReads {
  /**
   * The values of `keys`, in their order; undefined: there is no such record. At once where all of them are at hand, being
   * on their way to the store. Neighbours in the order of the keys cost little more than one alone: so a machine that will
   * want the next ones soon does well to ask for them now.
   * Rejects (or throws) an AssertionError where a record is not what was written, and another error where nothing can be
   * read now (the replica has closed, or loads a snapshot): `attach` lets both pass.
   */
  get(keys: readonly Uint8Array[]): readonly (Uint8Array | undefined)[] | Promise<readonly (Uint8Array | undefined)[]>
}

/** What a replica may add to an answer as it leaves: never part of the state. */
export interface AttachContext {
  readonly cold: ColdReads
  /** The nodes known to have the entry of this index on disk (this one included), as the leader sees it now; sorted. */
  durableOn(index: LogIndex): readonly NodeId[]
}

export interface StateMachine {
  /**
   * Applies one command. Returns its reply, or null: it waits, and `ctx.settle(ticket, …)` answers later. `ticket` is
   * unique in the group, rising, and survives failover (it is part of the replicated state).
   * A malformed command must not throw: it returns the machine's own error reply.
   */
  apply(ctx: ApplyContext, ticket: number, command: Uint8Array): Plain | null
  /**
   * Called where this replica leads, with a command that was taken into the log just now and is not yet on its way to the others:
   * what can be done beside the replication. Advice and no more: what is told may never be applied, or was applied before, and
   * what is applied need not have been told. The bytes are a view. Must not throw, nor change the replicated state.
   */
  preparing?(command: Uint8Array): void
  /**
   * A command of an entry is known from before, by its number or its key, and is not applied again: what `preparing` told of it comes
   * to nothing. As there: advice, a view, no throw, no change.
   */
  known?(command: Uint8Array): void
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
  /** Of values that are not small: added to that guess. */
  readonly valueBytes?: number
  /** How many records `drain` would write now. */
  readonly dirty: number
  /** Of what `drain` would write: bytes held in memory until it does, for machines whose records are large. Cheap: asked in every turn. */
  readonly dirtyBytes?: number
  /**
   * Writes every record changed since the last drain (value null: deleted) and forgets that it did. Keys are unique in the
   * machine. `writeCold` is for values that the machine does not keep: they are not given to `load`, and are read by
   * `attach` alone. Cold keys have a space of their own, and a rule: a record is written only while there is none of its
   * key, and deleted only while there is one (what came and went between two drains is not written at all). By that the
   * host knows, without reading them, which cold records there should be.
   */
  drain(write: WriteRecord, writeCold: WriteRecord): void
  /** Takes back one record, in any order; `loaded` ends it. Called on a fresh (or `reset`) machine only. */
  load(key: Uint8Array, value: Uint8Array): void
  /**
   * After the last record, of machines that have much to do then: does a part of it, as much as fits a turn. False: there is
   * more, to be asked for in another turn. `loaded` does what was not asked for.
   */
  prepare?(): boolean
  loaded(): void
  /** Forgets everything: a snapshot from a peer follows as `load`s. */
  reset(): void
  /**
   * Puts in what a reply of `apply`, `settle` or `query` leaves out. Asked each time an answer leaves, the first time and
   * when it is repeated, perhaps on another replica and after more entries; the reply it is given is the bare one. Never
   * mutates the replicated state. What comes of a promise may be dropped: the caller repeats.
   * A reply that leaves nothing out is given back as it is; one such is `true`, the host's answer to a cancellation.
   * Asserts (or rejects so) where a record should be there and is not: the replica is damaged then, and is made anew from
   * its peers. Not called for the refusals of the request table.
   */
  attach?(reply: Plain, context: AttachContext): Plain | Promise<Plain>
  /** Asserts the machine's invariants; for tests and the simulator (may be slow). */
  check(): void
}
