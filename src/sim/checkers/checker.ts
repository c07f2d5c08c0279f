/**
 * What a checker of the kernel sees, and how it says no: it throws. One property per file beside this one; the citations
 * are to Ongaro's thesis and to the rules P1 to P13 of `docs/simulation.md`.
 */
import { type GroupId, type LogIndex, type NodeId, type ReplicaId, groupName } from '../../base/ids.ts'
import type { GroupStatus } from '../../raft/group-host.ts'
import type { StateMachine } from '../../raft/machine.ts'
import type { LandedListener } from '../kv-platter.ts'
import type { DurableGroup, DurableLogs } from '../durable-log.ts'
import { SimFailure } from '../world.ts'

/** One replica after an event in which it changed. */
export interface Seen {
  readonly node: NodeId
  readonly life: number
  /** Counts the disks that the node has had: an emptied one is another. */
  readonly disk: number
  readonly group: GroupId
  readonly replica: ReplicaId
  readonly status: GroupStatus
  /** The same replica before, in the same life; null at the first sight of a life. */
  readonly before: GroupStatus | null
  /** Its log on the platter. */
  readonly log: DurableGroup | null
  readonly logs: DurableLogs
  readonly machine: StateMachine | null
}

export interface Checker {
  seen?(seen: Seen): void
  /** After each event, once all that changed in it was seen. */
  after?(): void
  written?(node: NodeId, group: GroupId, log: DurableGroup, index: LogIndex): void
  /** Asked for as long as it is so. */
  damaged?(node: NodeId, group: GroupId): void
  recovered?(node: NodeId, group: GroupId, before: DurableGroup, after: DurableGroup | null): void
  /** A batch of the key-value store is on the platter; `records`: all that are there now. */
  landed?(node: NodeId, ...landed: Parameters<LandedListener>): void
  begunAgain?(node: NodeId, group: GroupId, replica: ReplicaId): void
}

export function violated(property: string, group: GroupId, what: string): never {
  throw new SimFailure(`${property}: ${groupName(group)}: ${what}`)
}
