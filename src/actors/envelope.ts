/**
 * What travels between actors. The field names on the wire and in `docs/wire.md` are the requirements':
 * msg_id, msg_type, sender_id, receiver_id, payload, timestamp; the rest is ours.
 *
 * An actor id is `<node>/<path>`, e.g. `n1/raft`. A node's gateway thread is `n1:gw`: its messages reach it
 * through n1. A payload is plain data (what MessagePack carries): hot messages are tuples with fixed
 * positions, encoded by the part that owns them. Every envelope is encoded and decoded, local ones too.
 */
import type { Millis, NodeId } from '../base/ids.ts'
import type { ErrorCode } from '../base/errors.ts'

/** `<node>/<path>`. */
export type ActorId = string

/** What MessagePack carries without extensions. */
export type Plain = null | boolean | number | string | Uint8Array | readonly Plain[] | { readonly [key: string]: Plain }

export interface Envelope {
  /** Unique within the sender's node and boot; rising. */
  readonly msgId: number
  readonly msgType: string
  readonly senderId: ActorId
  readonly receiverId: ActorId
  readonly payload: Plain
  /** Wall clock of the sender at sending, ms since the epoch. Display only. */
  readonly timestamp: Millis
  /** On replies: the msgId of the request; 0 otherwise. */
  readonly inReplyTo: number
  /** How long the sender still waits, ms; 0: it does not wait. */
  readonly timeoutMs: Millis
  /** W3C trace context, only when the trace is sampled; '' otherwise. */
  readonly traceparent: string
}

/** The payload of a `failure` reply. */
export type FailurePayload = readonly [code: ErrorCode, message: string]
export const FAILURE = 'failure'

export function actorId(node: NodeId, path: string): ActorId {
  return `${node}/${path}`
}

export function nodeOf(id: ActorId): NodeId {
  return id.slice(0, id.indexOf('/'))
}

export function pathOf(id: ActorId): string {
  return id.slice(id.indexOf('/') + 1)
}
