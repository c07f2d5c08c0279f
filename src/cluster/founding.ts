/**
 * The founding replicas of this node. Once each of them has a leader they have written to the log after their creation,
 * so all of them are durable, and that is noted (`Identity.founded`): from then on a missing replica is a lost one, and
 * making it anew under the same number could vote twice in one term. Damage says the same before that: what rotted was
 * durable once, and so may be what is missing. Then nothing is made, and the note is written at once.
 */
import { type GroupId, type MemberId, NOBODY, replicaId } from '../base/ids.ts'
import type { Storage } from '../io/storage.ts'
import type { Membership } from '../raft/core/types.ts'
import type { GroupHost } from '../raft/group-host.ts'
import { markFounded } from './identity.ts'
import { targetOf } from './reconcile-group.ts'
import type { Formation, Identity, Placement } from './types.ts'

export class Founding {
  readonly #host: GroupHost
  readonly #own: readonly Placement[]
  readonly #member: MemberId
  /** False while founding replicas are being made: the table makes none meanwhile. */
  underWay = false
  #closed = false

  constructor(host: GroupHost, formation: Formation, table: readonly Placement[], member: MemberId) {
    this.#host = host
    this.#member = member
    const isFounder = formation.founders.some((founder) => founder.member === member)
    this.#own = isFounder ? table.filter(({ replicas }) => replicas.includes(member)) : []
  }

  /** Those that this node founds, or founded. */
  get groups(): readonly GroupId[] {
    return this.#own.map(({ group }) => group)
  }

  begin(storage: Storage, identity: Identity, onDiskFatal: (error: Error) => void): void {
    const host = this.#host
    // What is missing beside damage was there, perhaps: as one that is lost it begins with its next life, or not at all.
    const isFirst = host.damaged.length === 0 && !host.logHoles
    const own = isFirst ? this.#own : []
    this.underWay = true
    for (const placement of own) {
      if (host.replicaOf(placement.group) === null) {
        host.createReplica(placement.group, replicaId(this.#member, 0), membershipOf(placement))
      }
    }
    let noted = false
    const note = (): void => {
      if (noted || this.#closed || own.some(({ group }) => !this.#isDurable(group))) return
      noted = true
      markFounded(storage, identity).then(() => {
        this.underWay = false
      }, onDiskFatal)
    }
    host.onChange(note)
    note()
  }

  /** The node stops. What was not noted yet is noted in its next life. */
  close(): void {
    this.#closed = true
  }

  /** One that is gone again was durable once: only meta's word and its group's leader take a replica away. */
  #isDurable(group: GroupId): boolean {
    return this.#host.replicaOf(group) === null || (this.#host.status(group)?.leader ?? NOBODY) !== NOBODY
  }
}

function membershipOf(placement: Placement): Membership {
  const { voters, learners } = targetOf(placement)
  const sorted = (list: readonly number[]): number[] => [...list].sort((a, b) => a - b)
  return { voters: sorted(voters), outgoing: [], learners: sorted(learners), learnersNext: [] }
}
