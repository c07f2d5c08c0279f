/**
 * The replicas of this node: those that live, those being made or ended, those found damaged. Making and ending one
 * takes several writes; the jobs of one group run one after the other.
 *
 *   create: clear records ─> founding header, synced ─> log: create [snapshot, hard state] ─> durable ─> live
 *   remove: not live any more ─> log: remove ─> durable ─> clear records
 */
import { assert } from '../../base/assert.ts'
import { type GroupId, NOBODY, type ReplicaId } from '../../base/ids.ts'
import type { WalRecord } from '../../io/wal/wal.ts'
import type { Membership } from '../core/types.ts'
import { FOUNDING_GENERATION, FOUNDING_INDEX, FOUNDING_TERM, foundingHeader, newGroup } from './build.ts'
import type { Group } from './group.ts'
import { encodeHeader, encodeMembership, headerKey, wholeGroup } from './keys.ts'
import type { HostShared } from './shared.ts'
import { hardStateRecord } from './writes.ts'

interface Slot {
  readonly replica: ReplicaId
  /** Null while it is being made. */
  live: Group | null
}

export class Replicas {
  readonly #shared: HostShared
  readonly #onLive: (group: Group) => void
  readonly #slots = new Map<GroupId, Slot>()
  readonly #damaged = new Map<GroupId, ReplicaId>()
  readonly #jobs = new Map<GroupId, Promise<void>>()

  constructor(shared: HostShared, onLive: (group: Group) => void) {
    this.#shared = shared
    this.#onLive = onLive
  }

  get(group: GroupId): Group | null {
    return this.#slots.get(group)?.live ?? null
  }

  *live(): Generator<Group> {
    for (const { live } of this.#slots.values()) if (live !== null) yield live
  }

  get groups(): readonly GroupId[] {
    return [...this.#slots.keys()]
  }

  replicaOf(group: GroupId): ReplicaId | null {
    return this.#slots.get(group)?.replica ?? null
  }

  /** Null: what there is of the group, if anything, may be served. */
  damagedReplica(group: GroupId): ReplicaId | null {
    return this.#damaged.get(group) ?? null
  }

  get damaged(): readonly { readonly group: GroupId; readonly replica: ReplicaId }[] {
    const ended = Array.from(this.#damaged, ([group, replica]) => ({ group, replica }))
    const ailing = Array.from(this.live(), ({ id, replica, ailing }) => (ailing ? [{ group: id, replica }] : []))
    return [...ended, ...ailing.flat()]
  }

  adopt(group: Group): void {
    this.#slots.set(group.id, { replica: group.replica, live: group })
  }

  markDamaged(group: GroupId, replica: ReplicaId): void {
    this.#slots.get(group)?.live?.close()
    this.#slots.delete(group)
    this.#damaged.set(group, replica)
  }

  create(group: GroupId, replica: ReplicaId, founding: Membership | null): void {
    assert(!this.#slots.has(group), `group ${group} has a replica here already`)
    this.#damaged.delete(group)
    const slot: Slot = { replica, live: null }
    this.#slots.set(group, slot)
    this.#job(group, async () => {
      const { kv } = this.#shared
      await kv.clear(wholeGroup(group))
      if (founding !== null) {
        const header = encodeHeader(foundingHeader(founding))
        await kv.batch([{ key: headerKey(group, FOUNDING_GENERATION), value: header }], { sync: true })
      }
      await this.#record(creationRecords(group, replica, founding))
      this.#shared.outgoing.ctx.enter(() => {
        if (this.#slots.get(group) !== slot) return
        slot.live = newGroup(this.#shared, group, replica, founding)
        this.#onLive(slot.live)
      })
    })
  }

  remove(group: GroupId): void {
    this.#slots.get(group)?.live?.close()
    this.#slots.delete(group)
    this.#damaged.delete(group)
    this.#job(group, async () => {
      await this.#record([{ kind: 'remove', group }])
      await this.#shared.kv.clear(wholeGroup(group))
      this.#shared.cleared(wholeGroup(group))
    })
  }

  #record(records: readonly WalRecord[]): Promise<void> {
    return new Promise((resolve) => this.#shared.wal.append(records, () => resolve()))
  }

  #job(group: GroupId, run: () => Promise<void>): void {
    const job = (this.#jobs.get(group) ?? Promise.resolve()).then(run).catch((error: Error) => this.#shared.options.onDiskFatal(error))
    this.#jobs.set(group, job)
    void job.then(() => {
      if (this.#jobs.get(group) === job) this.#jobs.delete(group)
    })
  }

  /** Resolves when no job runs. */
  async settled(): Promise<void> {
    while (this.#jobs.size > 0) await Promise.all(this.#jobs.values())
  }
}

function creationRecords(group: GroupId, replica: ReplicaId, founding: Membership | null): WalRecord[] {
  const create: WalRecord = { kind: 'create', group, replica }
  if (founding === null) return [create]
  const [index, term] = [FOUNDING_INDEX, FOUNDING_TERM]
  return [
    create,
    { kind: 'snapshot', group, index, term, generation: FOUNDING_GENERATION, reset: true, config: encodeMembership(founding) },
    hardStateRecord(group, { term, vote: NOBODY, commit: index }),
  ]
}
