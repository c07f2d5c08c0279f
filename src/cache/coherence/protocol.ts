/**
 * The words between a home and the nodes that hold copies, all about one partition (source: Sorin, Hill, Wood, "A Primer on
 * Memory Consistency and Cache Coherence"; the leases: Yin, Alvisi, Dahlin, "Volume Leases for Consistency"; ADR 0006).
 *
 *   msg_type           node -> home                      home -> node
 *   cache_read         open, renew, getS                 opened, renewed, closed, dataS, dataU
 *   cache_write        getM                              dataX
 *   cache_invalidate   invAck, viewAck, leave            inv, recall, view, left
 *
 * `term` is the Raft term of the home: the epoch. `g` numbers grants and `t` revocations, by one counter per term: an
 * invalidation kills every grant with g <= t. Messages may be lost, doubled and reordered; each handler is idempotent.
 */
import type { Millis, Term } from '../../base/ids.ts'

/** A line by its kind and names, see `line-id.ts`. */
export type LineId = string

/** What a line holds, as of a version. `value` null: nothing. */
export interface Held {
  readonly version: number
  readonly value: Uint8Array | null
  readonly contentType: string
  /** From the moment it was asked for; null: for ever. */
  readonly ttlLeftMs: Millis | null
  /** Reads extend its life. */
  readonly slidingMs: Millis
  /** Lines that keep it alive, with their versions as of its write. */
  readonly tags: readonly (readonly [line: LineId, version: number])[]
}

export type ToHome =
  /** `n`: which of the node's tries; the lease is counted from when it was sent. It has held no copies since before the try `first`. */
  | { readonly type: 'open'; readonly n: number; readonly first: number }
  | { readonly type: 'renew'; readonly term: Term; readonly sid: number; readonly n: number }
  | { readonly type: 'getS'; readonly term: Term; readonly sid: number; readonly rid: number; readonly line: LineId }
  | { readonly type: 'getM'; readonly term: Term; readonly sid: number; readonly rid: number; readonly line: LineId }
  | { readonly type: 'invAck'; readonly term: Term; readonly t: number; readonly line: LineId }
  | { readonly type: 'viewAck'; readonly term: Term }
  /** It stops: it holds nothing since this try, and asks for nothing any more. */
  | { readonly type: 'leave'; readonly n: number }

export type ToNode =
  | { readonly type: 'opened'; readonly term: Term; readonly sid: number; readonly n: number; readonly leaseMs: Millis }
  | { readonly type: 'renewed'; readonly term: Term; readonly sid: number; readonly n: number; readonly leaseMs: Millis }
  /** There is no such session: open another. */
  | { readonly type: 'closed'; readonly term: Term; readonly sid: number }
  | {
      readonly type: 'dataS'
      readonly term: Term
      readonly sid: number
      readonly rid: number
      readonly line: LineId
      readonly g: number
      readonly held: Held
    }
  /** For whoever asked before it was sent, and for nobody else. */
  | { readonly type: 'dataU'; readonly term: Term; readonly sid: number; readonly rid: number; readonly line: LineId; readonly held: Held }
  | {
      readonly type: 'dataX'
      readonly term: Term
      readonly sid: number
      readonly rid: number
      readonly line: LineId
      readonly g: number
      readonly held: Held
      /** The number of the ownership, and the versions that the owner may give. */
      readonly own: number
      readonly versionFirst: number
      readonly versionMax: number
    }
  | { readonly type: 'inv'; readonly term: Term; readonly t: number; readonly line: LineId }
  /** To the owner, whose grant is `gx`: flush, drop it, then acknowledge. */
  | { readonly type: 'recall'; readonly term: Term; readonly t: number; readonly gx: number; readonly line: LineId }
  | { readonly type: 'view'; readonly term: Term }
  /** The log knows that it holds nothing: no home waits for it. */
  | { readonly type: 'left'; readonly term: Term; readonly n: number }
