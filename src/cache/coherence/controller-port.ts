/** The door of a node's controller to the world, what it may be told, and what it counts. */
import type { Millis, NodeId } from '../../base/ids.ts'
import type { LentPort } from './lent-lines.ts'
import type { OwnedPort } from './owned-lines.ts'
import type { Held, ToHome } from './protocol.ts'

export interface ControllerPort extends OwnedPort, LentPort {
  /** null: to whoever leads the partition. */
  send(to: NodeId | null, message: ToHome): void
  /** Of a `load` or `own` that gave null; `isRefused`: the line is not to be owned now. `until`: when the value is past its time, on this node's clock. */
  answer(ticket: number, held: Held, until: Millis, isRefused?: boolean): void
  /** The coherent value could not be had in time. */
  failed(ticket: number): void
}

export interface ControllerOptions {
  /** Its copies carry it. */
  readonly partition: number
  /** Rises with each start of the node. */
  readonly life: number
  readonly renewMs: Millis
  /** Without reads for that long the session is let go. */
  readonly idleMs: Millis
  /** What an owner wrote is flushed after that long. */
  readonly flushMs: Millis
}

export const CONTROLLER_DEFAULTS: Omit<ControllerOptions, 'partition' | 'life'> = { renewMs: 500, idleMs: 60_000, flushMs: 100 }

export interface ControllerCounts {
  hits: number
  misses: number
  getS: number
  getM: number
  inv: number
  /** Copies invalidated that nobody had read since they came. */
  falseInv: number
  /** Sessions that ended while they were wanted. */
  breaks: number
}
