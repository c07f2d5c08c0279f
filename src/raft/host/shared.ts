/** What all groups of one host share. */
import type { Plain } from '../../actors/envelope.ts'
import type { GroupId, LogIndex, Millis } from '../../base/ids.ts'
import type { Clock } from '../../io/clock.ts'
import type { Kv, KvRange } from '../../io/kv/kv.ts'
import type { Random } from '../../io/random.ts'
import type { Wal, WalRecord } from '../../io/wal/wal.ts'
import type { DiskRoom } from '../disk-room.ts'
import type { GroupHostOptions } from '../group-host.ts'
import type { Uptime } from './cluster-clock.ts'
import type { DiskWatch } from './disk-watch.ts'
import type { Group } from './group.ts'
import type { RaftObserver } from './observer.ts'
import type { Outgoing } from './outgoing.ts'
import type { HostCounters } from './stats.ts'
import type { Work } from './writes.ts'

export interface HostShared {
  readonly options: GroupHostOptions
  readonly observer: RaftObserver | null
  readonly clock: Clock
  readonly random: Random
  readonly uptime: Uptime
  readonly kv: Kv
  readonly wal: Wal
  readonly outgoing: Outgoing
  readonly counters: HostCounters
  readonly disk: DiskWatch
  /** The group has something to do: it gets its part of the next flush. */
  dirty(group: Group): void
  /** A snapshot is wanted by a peer of the group. */
  sendSnapshot(group: Group, peer: number, term: number): void
  changed(group: Group): void
  /** The log of this replica has lost what was durable: nothing of it may count any more. */
  lose(group: Group, why: string): void
  /** The state of this replica was found damaged while it serves. */
  ail(group: Group, why: string): void
  /** Of the disks that a majority of the group would store a command on. */
  quorumRoom(group: Group): DiskRoom
  /** The key-value store owes so much, over all groups, that no command is taken. */
  storeIsBehind(): boolean
  event(group: GroupId, event: Plain, index: LogIndex, time: Millis): void
  /** A snapshot record became durable: the state of the new generation is to be read in. */
  reload(group: Group): void
  /** All that the store had in this range was deleted, and takes room still. */
  cleared(range: KvRange): void
}

/** What a flush gathers over all groups for one append. */
export interface Gathered {
  readonly records: WalRecord[]
  readonly works: Work[]
}
