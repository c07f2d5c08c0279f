/**
 * The state machine of group `meta`: who belongs to the cluster, and where each group should be.
 *
 *   found ──> members, first table ──> add_member ─> (joining) ─ set_placement ─ member_active ─> (active)
 *                                      remove_member ─> (leaving) ─ set_placement ─ member_left ─> forgotten
 *
 * Invariants:
 *  1. Member numbers rise and are never given twice; node ids are unique among the members.
 *  2. A table has the same groups for ever, distinct replicas each, none of them of a member that is leaving when it is set.
 *  3. The life of a member's replica of a group never falls. It rises when that replica is damaged, or has been given up:
 *     so a ReplicaId that was deleted never comes back, whatever old vote or acknowledgement is still under way.
 *  4. `epoch` rises with every change that a reader can see.
 */
import type { Plain } from '../actors/envelope.ts'
import { assert } from '../base/assert.ts'
import type { ErrorCode } from '../base/errors.ts'
import { type GroupId, LIVES_PER_MEMBER, type MemberId, groupName } from '../base/ids.ts'
import type { ApplyContext, StateMachine } from '../raft/machine.ts'
import { type LifeRow, type MetaCommand, type MetaReply, type PlacementRow, decodeMetaCommand } from './meta-machine-commands.ts'
import { type ClusterRecord, type GroupRecord, MetaRecords } from './meta-machine-records.ts'
import type { Formation, Member, MetaView } from './types.ts'

export const MEMBERS_MAX = 64

type Of<N extends MetaCommand['name']> = Extract<MetaCommand, { readonly name: N }>

export class MetaMachine implements StateMachine {
  readonly #onChange: (view: MetaView) => void
  readonly #records = new MetaRecords()
  #cluster: ClusterRecord = { formation: null, epoch: 0, nextMember: 1 }
  #members = new Map<MemberId, Member>()
  #groups = new Map<GroupId, GroupRecord>()
  #view: MetaView | null = null

  /** `onChange` hears of each new epoch that this replica reaches; it is no part of the state. */
  constructor(onChange: (view: MetaView) => void = () => undefined) {
    this.#onChange = onChange
  }

  get view(): MetaView {
    const { formation, epoch, nextMember } = this.#cluster
    const placements = [...this.#groups].sort(([a], [b]) => a - b).map(([group, record]) => placementOf(group, record))
    const members = [...this.#members.values()].sort((a, b) => a.member - b.member)
    return (this.#view ??= { formation, epoch, nextMember, members, placements })
  }

  apply(_ctx: ApplyContext, _ticket: number, bytes: Uint8Array): Plain {
    const command = decodeMetaCommand(bytes)
    if (!command) return refuse('INVALID_ARGUMENT', 'this is no command of group meta')
    const before = this.#cluster.epoch
    const reply = this.#run(command)
    if (this.#cluster.epoch !== before) this.#onChange(this.view)
    return reply
  }

  #run(command: MetaCommand): MetaReply {
    if (command.name === 'found') return this.#found(command)
    if (!this.#cluster.formation) return refuse('STARTING', 'the cluster has not written its foundation yet')
    switch (command.name) {
      case 'add_member':
        return this.#add(command)
      case 'remove_member':
        return this.#remove(command)
      case 'member_active':
        return this.#activate(command)
      case 'member_left':
        return this.#forget(command)
      case 'update_member':
        return this.#update(command)
      case 'set_placement':
        return this.#place(command)
      case 'replace_replica':
        return this.#replace(command)
      case 'retire_replica':
        return this.#retire(command)
    }
  }

  #found({ formation, rows }: Of<'found'>): MetaReply {
    const made = this.#cluster.formation
    if (made && made.clusterId !== formation.clusterId) return refuse('CONFIG_CONFLICT', `this is cluster ${made.clusterId}`)
    if (made) return [true, this.#cluster.epoch]
    const members = new Set(formation.founders.map(({ member }) => member))
    const problem = problemOf(rows, (member) => members.has(member))
    if (problem) return refuse('INVALID_ARGUMENT', problem)
    for (const founder of formation.founders) this.#setMember(founder)
    for (const [group, replicas] of rows) this.#setGroup(group, { replicas, lives: [] })
    return this.#changed({ formation, nextMember: memberAfter(formation) })
  }

  #add({ id, uid, url, version }: Of<'add_member'>): MetaReply {
    const known = this.#memberNamed(id)
    if (known) return this.#meet(known, uid, url, version)
    if (id === '') return refuse('INVALID_ARGUMENT', 'a member needs an id')
    if (this.#members.size >= MEMBERS_MAX) return refuse('QUOTA', `a cluster has at most ${MEMBERS_MAX} members`)
    const member = this.#cluster.nextMember
    this.#setMember({ member, id, uid, url, version, state: 'joining' })
    this.#changed({ nextMember: member + 1 })
    return [true, member]
  }

  /** One of that id is here already: the same one again, the one that was announced, or a stranger on its name. */
  #meet(known: Member, uid: string, url: string, version: string): MetaReply {
    const { id, member, state } = known
    if (state === 'leaving') return refuse('CONFIG_CONFLICT', `${id} is leaving: wait until it has left, then add it again`)
    if (known.uid === uid) return [true, member]
    if (uid === '') return refuse('CONFIG_CONFLICT', `${id} is a member already`)
    if (known.uid !== '') {
      return refuse(
        'CONFIG_CONFLICT',
        `${id} is a member with another disk: \`tricord members remove ${id}\` first, then start it with --join`,
      )
    }
    this.#setMember({ ...known, uid, url, version })
    this.#changed({})
    return [true, member]
  }

  #remove({ id }: Of<'remove_member'>): MetaReply {
    const known = this.#memberNamed(id)
    if (!known) return refuse('NOT_FOUND', `there is no member ${id}`)
    if (known.state === 'leaving') return [true, known.member]
    const others = [...this.#members.values()].filter((other) => other !== known && carries(other))
    if (others.length === 0) return refuse('CONFIG_CONFLICT', `${id} is the last member: nobody could take over what it holds`)
    this.#setMember({ ...known, state: 'leaving' })
    this.#changed({})
    return [true, known.member]
  }

  #activate({ member }: Of<'member_active'>): MetaReply {
    const known = this.#members.get(member)
    if (!known) return refuse('NOT_FOUND', `there is no member ${member}`)
    if (known.state === 'joining') {
      this.#setMember({ ...known, state: 'active' })
      this.#changed({})
    }
    return [true, this.#cluster.epoch]
  }

  #forget({ member }: Of<'member_left'>): MetaReply {
    const known = this.#members.get(member)
    if (!known) return [true, this.#cluster.epoch]
    if (known.state !== 'leaving') return refuse('CONFIG_CONFLICT', `${known.id} is not leaving`)
    for (const [group, { replicas }] of this.#groups) {
      if (replicas.includes(member)) return refuse('CONFIG_CONFLICT', `${known.id} still has ${groupName(group)}`)
    }
    this.#members.delete(member)
    this.#records.touchMember(member)
    // Its number never comes back, so neither do its lives.
    for (const [group, { replicas, lives }] of this.#groups) {
      const left = lives.filter(([of]) => of !== member)
      if (left.length !== lives.length) this.#setGroup(group, { replicas, lives: left })
    }
    return this.#changed({})
  }

  #update({ member, uid, url, version }: Of<'update_member'>): MetaReply {
    const known = this.#members.get(member)
    if (!known) return refuse('NOT_FOUND', `there is no member ${member}`)
    if (known.uid !== uid) return refuse('CONFIG_CONFLICT', `${known.id} is a member with another disk`)
    if (known.url === url && known.version === version) return [true, this.#cluster.epoch]
    this.#setMember({ ...known, url, version })
    return this.#changed({})
  }

  #place({ epoch, rows }: Of<'set_placement'>): MetaReply {
    if (epoch !== this.#cluster.epoch) return refuse('VERSION_MISMATCH', `the epoch is ${this.#cluster.epoch}`)
    const may = (member: MemberId): boolean => carries(this.#members.get(member))
    const problem = rows.length === this.#groups.size ? problemOf(rows, may) : 'a table has every group'
    const stranger = rows.find(([group]) => !this.#groups.has(group))
    if (problem ?? stranger) return refuse('INVALID_ARGUMENT', problem ?? `there is no group ${String(stranger?.[0])}`)
    let moved = false
    for (const [group, replicas] of rows) {
      const record = this.#groups.get(group) as GroupRecord
      if (record.replicas.length === replicas.length && record.replicas.every((member, i) => member === replicas[i])) continue
      this.#setGroup(group, { replicas, lives: record.lives })
      moved = true
    }
    return moved ? this.#changed({}) : [true, this.#cluster.epoch]
  }

  #replace({ member, lives }: Of<'replace_replica'>): MetaReply {
    const answer: LifeRow[] = []
    for (const [group, life] of lives) {
      const record = this.#groups.get(group)
      if (!record?.replicas.includes(member)) continue
      const now = lifeIn(record, member)
      if (now === life && life + 1 < LIVES_PER_MEMBER) this.#setGroup(group, withLife(record, member, life + 1))
      answer.push([group, lifeIn(this.#groups.get(group) as GroupRecord, member)])
    }
    if (answer.some(([group, life]) => lives.some(([of, was]) => of === group && life === was + 1))) this.#changed({})
    return [true, answer as unknown as Plain]
  }

  #retire({ member, lives }: Of<'retire_replica'>): MetaReply {
    const answer: GroupId[] = []
    if (member >= this.#cluster.nextMember) return refuse('NOT_FOUND', `there never was a member ${member}`)
    for (const [group, life] of lives) {
      const record = this.#groups.get(group)
      if (!record || (record.replicas.includes(member) && lifeIn(record, member) === life)) continue
      // The last life is not given up: there is none after it.
      if (life + 1 >= LIVES_PER_MEMBER) continue
      if (this.#members.has(member) && lifeIn(record, member) <= life) this.#setGroup(group, withLife(record, member, life + 1))
      answer.push(group)
    }
    return [true, answer]
  }

  #changed(change: Partial<ClusterRecord>): MetaReply {
    this.#cluster = { ...this.#cluster, ...change, epoch: this.#cluster.epoch + 1 }
    this.#records.touchCluster()
    this.#view = null
    return [true, this.#cluster.epoch]
  }

  #memberNamed(id: string): Member | undefined {
    for (const member of this.#members.values()) if (member.id === id) return member
    return undefined
  }

  #setMember(member: Member): void {
    this.#members.set(member.member, member)
    this.#records.touchMember(member.member)
    this.#view = null
  }

  #setGroup(group: GroupId, record: GroupRecord): void {
    this.#groups.set(group, record)
    this.#records.touchGroup(group)
    this.#view = null
  }

  cancel(): void {}
  advance(): void {}
  nextDeadline(): number {
    return Infinity
  }

  query(request: Plain): Plain {
    return request === 'view' ? (this.view as unknown as Plain) : refuse('INVALID_ARGUMENT', 'meta knows one question: view')
  }

  get dirty(): number {
    return this.#records.dirty
  }

  drain(write: (key: Uint8Array, value: Uint8Array | null) => void): void {
    this.#records.drain(write, this.#cluster, this.#members, this.#groups)
  }

  load(key: Uint8Array, value: Uint8Array): void {
    const record = this.#records.read(key, value)
    if (record.kind === 'cluster') this.#cluster = record.value
    else if (record.kind === 'member') this.#members.set(record.value.member, record.value)
    else this.#groups.set(record.group, record.value)
  }

  loaded(): void {
    this.#view = null
    if (this.#cluster.epoch > 0) this.#onChange(this.view)
  }

  reset(): void {
    this.#cluster = { formation: null, epoch: 0, nextMember: 1 }
    this.#members = new Map()
    this.#groups = new Map()
    this.#records.clear()
    this.#view = null
  }

  check(): void {
    const members = [...this.#members.values()]
    assert(new Set(members.map(({ id }) => id)).size === members.length, 'two members have one id')
    assert(
      members.every(({ member }) => member < this.#cluster.nextMember),
      'a member number will be given twice',
    )
    for (const [group, { replicas }] of this.#groups) {
      assert(replicas.length > 0 && new Set(replicas).size === replicas.length, `${groupName(group)} has a replica twice`)
      assert(
        replicas.every((member) => this.#members.has(member)),
        `${groupName(group)} is given to one who left`,
      )
    }
  }
}

/** Whether the table may give something to it. */
export function carries(member: Member | undefined): boolean {
  return member !== undefined && member.state !== 'leaving' && member.uid !== ''
}

/** The first number that no founder has. */
export function memberAfter({ founders }: Formation): MemberId {
  return Math.max(...founders.map(({ member }) => member)) + 1
}

function placementOf(group: GroupId, record: GroupRecord): MetaView['placements'][number] {
  return { group, replicas: record.replicas, lives: record.replicas.map((member) => lifeIn(record, member)) }
}

function lifeIn({ lives }: GroupRecord, member: MemberId): number {
  return lives.find(([of]) => of === member)?.[1] ?? 0
}

function withLife({ replicas, lives }: GroupRecord, member: MemberId, life: number): GroupRecord {
  const others = lives.filter(([of]) => of !== member)
  return { replicas, lives: [...others, [member, life] as const].sort(([a], [b]) => a - b) }
}

/** Why the rows are no table, or null. */
function problemOf(rows: readonly PlacementRow[], may: (member: MemberId) => boolean): string | null {
  if (rows.length === 0 || new Set(rows.map(([group]) => group)).size !== rows.length) return 'a table has each group once'
  for (const [group, replicas] of rows) {
    if (new Set(replicas).size !== replicas.length) return `${groupName(group)} has a replica twice`
    if (!replicas.every(may)) return `${groupName(group)} is given to one who cannot carry it`
  }
  return null
}

function refuse(code: ErrorCode, message: string): MetaReply {
  return [false, code, message]
}
