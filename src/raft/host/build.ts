/** Puts a Group together: from what recovery found of it, or anew. */
import { type GroupId, NOBODY, type ReplicaId } from '../../base/ids.ts'
import type { RecoveredGroup } from '../../io/wal/wal.ts'
import { createRaft } from '../core/raft.ts'
import type { RaftOptions, RaftState } from '../core/raft-core.ts'
import { type Entry, type EntryType, type Membership, type SnapshotMeta } from '../core/types.ts'
import type { GroupHostOptions } from '../group-host.ts'
import type { StateMachine } from '../machine.ts'
import { Applier } from './applier.ts'
import { NO_COLD } from './cold-digest.ts'
import { RecordDigest } from './digest.ts'
import { Group } from './group.ts'
import { type StateHeader, decodeMembership } from './keys.ts'
import { LogWindow } from './log-window.ts'
import { RequestTable } from './requests.ts'
import type { HostShared } from './shared.ts'
import { type LoadedState, StateStore, loadState } from './state-store.ts'

const APPEND_BYTES_MAX = 256 * 1024
const INFLIGHT_BYTES_MAX = 4 * 1024 * 1024
const INFLIGHT_MESSAGES_MAX = 256
const UNCOMMITTED_BYTES_MAX = 32 * 1024 * 1024
const APPLY_BYTES_MAX = 8 * 1024 * 1024
/** An idle group falls asleep after so many election timeouts. */
const QUIESCE_ELECTIONS = 3

/**
 * A founding replica begins at index 1, not 0: so a replica that knows nothing can never catch up by entries alone,
 * and always gets the founding membership with a snapshot.
 */
export const FOUNDING_INDEX = 1
export const FOUNDING_TERM = 1
export const FOUNDING_GENERATION = 1

const NO_MEMBERS: Membership = { voters: [], outgoing: [], learners: [], learnersNext: [] }
const NOTHING: SnapshotMeta = { index: 0, term: 0, membership: NO_MEMBERS }

export function foundingHeader(membership: Membership): StateHeader {
  return { index: FOUNDING_INDEX, term: FOUNDING_TERM, time: 0, ordinal: 0, membership, count: 0, sum: 0, cold: NO_COLD }
}

/** A node may have one machine for a group in all its lives here: what an earlier one left in it, or half of a load, is not of this one. */
function freshMachine({ options }: HostShared, group: GroupId): StateMachine {
  const machine = options.machineFor(group)
  machine.reset()
  return machine
}

/** A replica that begins now: as a founder, or (null) empty until a leader contacts it. */
export function newGroup(shared: HostShared, group: GroupId, replica: ReplicaId, founding: Membership | null): Group {
  const header = founding === null ? { ...foundingHeader(NO_MEMBERS), index: 0, term: 0 } : foundingHeader(founding)
  const { index, term, membership } = header
  const state: RaftState = {
    hardState: { term, vote: NOBODY, commit: index },
    snapshot: { index, term, membership },
    entries: [],
    applied: index,
  }
  const machine = freshMachine(shared, group)
  machine.loaded()
  const loaded = { header, requests: new RequestTable(), digest: new RecordDigest() }
  return assemble(shared, group, replica, state, machine, founding === null ? 0 : FOUNDING_GENERATION, loaded)
}

/** A replica from disk; a string says why it cannot be trusted. */
export async function recoverGroup(shared: HostShared, found: RecoveredGroup): Promise<Group | string> {
  const { group, replica, hardState } = found
  if (found.snapshot === null) {
    if (found.entries.length > 0) return 'its log does not say what it begins from'
    return emptyGroup(shared, group, replica, hardState.term, hardState.vote)
  }
  const membership = decodeMembership(found.snapshot.config)
  if (membership === null) return 'its snapshot record does not parse'
  const { index, term, generation } = found.snapshot
  const machine = freshMachine(shared, group)
  const loaded = await loadState(shared.kv, group, generation, machine)
  if (typeof loaded === 'string') return loaded
  const entries = found.entries.filter((entry) => entry.index > index).map(toEntry)
  const applied = loaded.header.index
  if (applied < index) return `its records stand at ${applied}, its log begins after ${index}`
  if (applied > index + entries.length) return `its records stand at ${applied}, its log ends at ${index + entries.length}`
  const state = { hardState, snapshot: { index, term, membership }, entries, applied }
  return assemble(shared, group, replica, state, machine, generation, loaded)
}

function emptyGroup(shared: HostShared, group: GroupId, replica: ReplicaId, term: number, vote: ReplicaId): Group {
  const machine = freshMachine(shared, group)
  machine.loaded()
  const header = { ...foundingHeader(NO_MEMBERS), index: 0, term: 0 }
  const state = { hardState: { term, vote, commit: 0 }, snapshot: NOTHING, entries: [], applied: 0 }
  return assemble(shared, group, replica, state, machine, 0, { header, requests: new RequestTable(), digest: new RecordDigest() })
}

function toEntry(found: RecoveredGroup['entries'][number]): Entry {
  return { index: found.index, term: found.term, type: found.type as EntryType, data: found.data }
}

function assemble(
  shared: HostShared,
  group: GroupId,
  replica: ReplicaId,
  state: RaftState,
  machine: StateMachine,
  generation: number,
  { header, requests, digest }: LoadedState,
): Group {
  const store = new StateStore(shared.kv, group, generation, header, digest)
  store.synced = state.snapshot.index
  const window = new LogWindow(state.snapshot.index, state.entries)
  return new Group(group, createRaft(raftOptions(shared, replica), state), new Applier(machine, requests, header), store, window, shared)
}

function raftOptions({ options, random }: HostShared, self: ReplicaId): RaftOptions {
  const electionTicks = electionTicksOf(options)
  return {
    self,
    electionTicks,
    heartbeatTicks: Math.max(1, Math.round(options.heartbeatIntervalMs / options.tickMs)),
    appendBytesMax: APPEND_BYTES_MAX,
    inflightBytesMax: INFLIGHT_BYTES_MAX,
    inflightMessagesMax: INFLIGHT_MESSAGES_MAX,
    uncommittedBytesMax: UNCOMMITTED_BYTES_MAX,
    applyBytesMax: APPLY_BYTES_MAX,
    quiesceTicks: electionTicks * QUIESCE_ELECTIONS,
    leaseReads: false,
    random: (bound) => random.below(bound),
  }
}

export function electionTicksOf(options: GroupHostOptions): number {
  return Math.max(2, Math.round(options.electionTimeoutMs / options.tickMs))
}
