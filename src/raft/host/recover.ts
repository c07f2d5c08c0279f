/**
 * Brings a host back to what the disk holds: opens the key-value store, loads the state of each group that the log vouches
 * for, and names the rest damaged. A store that is damaged as a whole costs the node its replicas, never the cluster its data:
 *
 *   open the store, load each group ──> host
 *        └──damage──> is the only copy of a group here? ──yes──> SoleCopyError: nothing is touched, somebody has to decide
 *                                     └──no──> set the store aside, begin an empty one: every replica that had a state is
 *                                              damaged, and made anew from the other nodes under a new life
 *
 * Damage that shows at work ends the process, and is noted: it may lie where loading does not look.
 */
import type { GroupId, ReplicaId } from '../../base/ids.ts'
import { groupName } from '../../base/ids.ts'
import { KvDamagedError } from '../../io/kv/damage.ts'
import type { Kv } from '../../io/kv/kv.ts'
import type { Storage } from '../../io/storage.ts'
import type { Recovered, RecoveredGroup } from '../../io/wal/wal.ts'
import { decodeMembership as decodeEntry } from '../core/config-change.ts'
import { ENTRY_CONFIG, type Membership } from '../core/types.ts'
import type { GroupHostOptions } from '../group-host.ts'
import { recoverGroup } from './build.ts'
import type { Host } from './host.ts'
import { decodeMembership, generations, groupOfKey, wholeGroup } from './keys.ts'

const STATE_DIRECTORY = 'state'
/** Says that damage showed at work. */
const NOTE = 'state.damaged'
const GENERATION_END = 2 ** 32 - 1

/** What is damaged here is nowhere else. main exits with 74. */
export class SoleCopyError extends Error {
  override readonly name = 'SoleCopyError'

  constructor(groups: readonly GroupId[], why: string) {
    super(
      `${why}. This node holds the only copy of ${groups.map(groupName).join(', ')}, so it does not start, and has changed nothing: ` +
        `restore the data directory from a backup. To give up what it held, start it on an empty one`,
    )
  }
}

export interface Opened {
  readonly host: Host
  readonly kv: Kv
}

/** `make` makes a host on that store. It may be called twice: a host whose store turns out to be damaged is thrown away. */
export async function recoverHost(
  storage: Storage,
  recovered: Recovered,
  options: GroupHostOptions,
  make: (kv: Kv) => Host,
): Promise<Opened> {
  const sole = recovered.groups.filter(isSoleCopy).map(({ group }) => group)
  try {
    const note = sole.length > 0 ? null : await storage.readFile(NOTE)
    if (note) throw new KvDamagedError(new TextDecoder().decode(note))
    return await open(storage, recovered, options, make)
  } catch (error) {
    if (!(error instanceof KvDamagedError)) throw error
    if (sole.length > 0) throw new SoleCopyError(sole, error.message)
    const aside = await storage.setAside(STATE_DIRECTORY)
    await storage.remove(NOTE)
    await storage.syncDirectory('')
    options.onLog('error', `${error.message}. It is set aside, and the replicas of this node are made anew from the other nodes`, { aside })
    return open(storage, recovered, options, make)
  }
}

/** Damage that shows at work is known at the next start. */
export function noting(storage: Storage, onDiskFatal: (error: Error) => void): (error: Error) => void {
  return (fault) => {
    if (!(fault instanceof KvDamagedError)) return onDiskFatal(fault)
    const end = (): void => onDiskFatal(fault)
    // Without the note the next start finds the damage, or does not and comes to this again.
    storage.replace(NOTE, new TextEncoder().encode(fault.message)).then(end, end)
  }
}

async function open(storage: Storage, recovered: Recovered, options: GroupHostOptions, make: (kv: Kv) => Host): Promise<Opened> {
  const kv = await storage.kv(STATE_DIRECTORY)
  try {
    const host = make(kv)
    await load(host, recovered, kv, options)
    return { host, kv }
  } catch (error) {
    await kv.close()
    throw error
  }
}

async function load(host: Host, recovered: Recovered, kv: Kv, options: GroupHostOptions): Promise<void> {
  for (const { group, replica } of recovered.damaged) host.replicas.markDamaged(group, replica)
  const keep = new Map<GroupId, number>()
  for (const found of recovered.groups) {
    const group = await recoverGroup(host.shared, found)
    if (typeof group === 'string') {
      if (isSoleCopy(found)) throw new SoleCopyError([found.group], `a replica is damaged: ${group}`)
      options.onLog('error', `a replica is damaged: ${group}`, { group: found.group, replica: found.replica })
      host.replicas.markDamaged(found.group, found.replica)
    } else {
      host.replicas.adopt(group)
      keep.set(group.id, group.store.generation)
      host.shared.dirty(group)
    }
  }
  await sweep(kv, keep)
}

/** Whether, as far as the log tells, no other node has a copy of what was committed. In doubt it is. */
function isSoleCopy({ replica, snapshot, entries }: RecoveredGroup): boolean {
  const changes = entries.filter(({ type }) => type === ENTRY_CONFIG).map(({ data }) => decodeEntry(data))
  const before = snapshot === null ? null : decodeMembership(snapshot.config)
  return [before, ...changes].some((membership) => membership !== null && isAlone(membership, replica))
}

function isAlone({ voters, outgoing }: Membership, replica: ReplicaId): boolean {
  return voters.includes(replica) && [...voters, ...outgoing].every((voter) => voter === replica)
}

/** Deletes what a crash left behind: groups that were removed, generations that were replaced or never finished. */
async function sweep(kv: Kv, keep: ReadonlyMap<GroupId, number>): Promise<void> {
  for (const [group, generation] of keep) {
    await kv.clear(generations(group, 0, generation))
    await kv.clear(generations(group, generation + 1, GENERATION_END))
  }
  for (let from: GroupId | null = 0; from !== null;) {
    const iterator = kv.iterate({ gte: wholeGroup(from).gte! })
    const [first] = await iterator.next(1)
    await iterator.close()
    if (first === undefined) return
    const group = groupOfKey(first[0])
    if (!keep.has(group)) await kv.clear(wholeGroup(group))
    from = group + 1
  }
}
