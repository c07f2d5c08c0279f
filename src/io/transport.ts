/**
 * Carries frames between nodes, at most once: it may drop, delay, duplicate or reorder them, and it
 * never throws for a peer that is not there. The layers above repair that.
 *
 * A frame is addressed to a *life* of a node (its boot incarnation): one meant for a past life is
 * dropped by the receiver's `actors/links.ts`, and transports that can (NATS) do not deliver it at all.
 */
import type { Incarnation, NodeId } from '../base/ids.ts'

export interface Transport {
  readonly node: NodeId
  readonly incarnation: Incarnation
  /** Frames may not be larger than this; callers split. */
  readonly frameBytesMax: number
  /** False while nothing can be sent (a broken connection). Frames sent meanwhile are dropped, not kept. */
  readonly connected: boolean
  /** The transport takes over `frame`: the caller never touches it again. */
  send(to: NodeId, incarnation: Incarnation, frame: Uint8Array): void
  /** To every node that listens, this one excluded. Used for `hello` alone. */
  broadcast(frame: Uint8Array): void
  /** Called once, before any frame can arrive. `onFrame` may keep views of the frame. */
  listen(handlers: TransportHandlers): void
  close(): Promise<void>
}

export interface TransportHandlers {
  onFrame(frame: Uint8Array): void
  /** The connection was lost or came back: asks in flight may have been dropped. */
  onConnection(connected: boolean): void
}
