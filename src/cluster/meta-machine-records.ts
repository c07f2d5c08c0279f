/**
 * The state of `meta` as records: one for the cluster, one per member, one per group. Same state, same bytes.
 *
 *   c          {formation | null, epoch, nextMember}
 *   m<member>  the member
 *   g<group>   {replicas, lives: [[member, life]…]}: lives that are not 0
 */
import type { Plain } from '../actors/envelope.ts'
import { assert } from '../base/assert.ts'
import type { GroupId, MemberId } from '../base/ids.ts'
import { ByteReader, ByteWriter } from '../raft/bytes.ts'
import { readPlain, writePlain } from '../raft/plain.ts'
import { isFormation, isMember } from './meta-machine-commands.ts'
import type { Formation, Member } from './types.ts'

export interface ClusterRecord {
  readonly formation: Formation | null
  readonly epoch: number
  readonly nextMember: MemberId
}

export interface GroupRecord {
  readonly replicas: readonly MemberId[]
  /** Of members that replicate it or did. Sorted; 0 is left out. */
  readonly lives: readonly (readonly [member: MemberId, life: number])[]
}

export type MetaRecord =
  | { readonly kind: 'cluster'; readonly value: ClusterRecord }
  | { readonly kind: 'member'; readonly value: Member }
  | { readonly kind: 'group'; readonly group: GroupId; readonly value: GroupRecord }

const CLUSTER_KEY = 'c'
const TO_BYTES = new TextEncoder()
/** A key is taken as it is: without this, U+FEFF before it would be swallowed. */
const TO_TEXT = new TextDecoder('utf-8', { ignoreBOM: true })

export class MetaRecords {
  readonly #changed = new Set<string>()

  get dirty(): number {
    return this.#changed.size
  }

  touchCluster(): void {
    this.#changed.add(CLUSTER_KEY)
  }

  touchMember(member: MemberId): void {
    this.#changed.add(`m${member}`)
  }

  touchGroup(group: GroupId): void {
    this.#changed.add(`g${group}`)
  }

  clear(): void {
    this.#changed.clear()
  }

  drain(
    write: (key: Uint8Array, value: Uint8Array | null) => void,
    cluster: ClusterRecord,
    members: ReadonlyMap<MemberId, Member>,
    groups: ReadonlyMap<GroupId, GroupRecord>,
  ): void {
    for (const key of this.#changed) {
      const number = Number(key.slice(1))
      write(TO_BYTES.encode(key), key === CLUSTER_KEY ? encode(cluster) : encode(key[0] === 'm' ? members.get(number) : groups.get(number)))
    }
    this.#changed.clear()
  }

  read(key: Uint8Array, value: Uint8Array): MetaRecord {
    const name = TO_TEXT.decode(key)
    const reader = new ByteReader(value)
    const plain = readPlain(reader)
    assert(reader.ok && reader.left === 0, `record ${name} of group meta is damaged`)
    if (name === CLUSTER_KEY) return { kind: 'cluster', value: clusterRecord(plain) }
    if (name[0] === 'm') {
      assert(isMember(plain), `record ${name} of group meta is no member`)
      return { kind: 'member', value: plain }
    }
    assert(name[0] === 'g', `${JSON.stringify(name)} is no record of group meta`)
    return { kind: 'group', group: Number(name.slice(1)), value: groupRecord(plain) }
  }
}

function encode(value: ClusterRecord | Member | GroupRecord | undefined): Uint8Array | null {
  if (value === undefined) return null
  const out = new ByteWriter()
  writePlain(out, value as unknown as Plain)
  return out.take()
}

function clusterRecord(plain: Plain): ClusterRecord {
  const record = plain as unknown as ClusterRecord
  assert(typeof record === 'object' && record !== null && Number.isSafeInteger(record.epoch), 'the cluster record is damaged')
  assert(record.formation === null || isFormation(record.formation), 'the cluster record has no formation')
  return record
}

function groupRecord(plain: Plain): GroupRecord {
  const record = plain as unknown as GroupRecord
  assert(typeof record === 'object' && record !== null && Array.isArray(record.replicas), 'a group record is damaged')
  return record
}
