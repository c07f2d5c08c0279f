/**
 * What a tracer may see of a command on its way through the log. Called for commands whose trace is sampled, and for
 * no others. Times are of the node's monotonic clock, in ms. Implemented by `telemetry`; must not throw.
 *
 *   received ─> [forwarded ─> received] ─> proposed ─┬─> walSynced (each replica)
 *                                                    ├─> replicated (leader, each peer) ─> committed ─> applied ─> replied
 */
import type { GroupId, LogIndex, Millis, NodeId, ReplicaId } from '../../base/ids.ts'

/** One sampled command of one group. */
export interface Traced {
  readonly traceparent: string
  readonly group: GroupId
}

export interface RaftObserver {
  /** The leader has it, in a parcel. */
  received(of: Traced, at: Millis): void
  /** It came here, but the leader is on another node. */
  forwarded(of: Traced, to: NodeId, at: Millis): void
  proposed(of: Traced, index: LogIndex, receivedAt: Millis, at: Millis): void
  /** On each replica that writes it. */
  walSynced(of: Traced, index: LogIndex, startedAt: Millis, at: Millis): void
  /** The leader: sent to `peer`, which now holds it durably. */
  replicated(of: Traced, index: LogIndex, peer: ReplicaId, sentAt: Millis, at: Millis): void
  committed(of: Traced, index: LogIndex, proposedAt: Millis, at: Millis): void
  applied(of: Traced, index: LogIndex, startedAt: Millis, at: Millis): void
  replied(of: Traced, index: LogIndex, at: Millis): void
}
