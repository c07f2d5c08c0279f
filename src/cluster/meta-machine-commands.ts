/**
 * What may be asked of group `meta`: MessagePack tuples, the command's name first; and its answers:
 * `[true, value]` or `[false, code, message]`. Reading is total: what is no command comes back as null.
 */
import { packPlain, unpackPlain } from '../actors/codec.ts'
import type { Plain } from '../actors/envelope.ts'
import { type ErrorCode, TricordError, isErrorCode } from '../base/errors.ts'
import type { GroupId, MemberId, NodeId } from '../base/ids.ts'
import type { Formation, Member } from './types.ts'

/** Who should replicate a group; the preferred leader first. */
export type PlacementRow = readonly [group: GroupId, replicas: readonly MemberId[]]
/** A life of a member's replica of a group. */
export type LifeRow = readonly [group: GroupId, life: number]

export type MetaCommand =
  /** The founders write themselves into the log. Once; repeated, it changes nothing. */
  | { readonly name: 'found'; readonly formation: Formation; readonly rows: readonly PlacementRow[] }
  /** -> the member's number. With uid '': announces it. */
  | { readonly name: 'add_member'; readonly id: NodeId; readonly uid: string; readonly url: string; readonly version: string }
  /** -> the member's number. It is `leaving` from now on. */
  | { readonly name: 'remove_member'; readonly id: NodeId }
  | { readonly name: 'member_active'; readonly member: MemberId }
  | { readonly name: 'member_left'; readonly member: MemberId }
  | { readonly name: 'update_member'; readonly member: MemberId; readonly uid: string; readonly url: string; readonly version: string }
  /** -> the new epoch. VERSION_MISMATCH unless the epoch is the one it was computed from. */
  | { readonly name: 'set_placement'; readonly epoch: number; readonly rows: readonly PlacementRow[] }
  /** These lives of the member's replicas are damaged -> the lives that take their place. */
  | { readonly name: 'replace_replica'; readonly member: MemberId; readonly lives: readonly LifeRow[] }
  /** The member wants to delete these -> the groups it may: no later table will give it that life again. */
  | { readonly name: 'retire_replica'; readonly member: MemberId; readonly lives: readonly LifeRow[] }

export type MetaReply = readonly [ok: true, value: Plain] | readonly [ok: false, code: ErrorCode, message: string]

/** The order of the fields on the wire. */
const FIELDS = {
  found: ['formation', 'rows'],
  add_member: ['id', 'uid', 'url', 'version'],
  remove_member: ['id'],
  member_active: ['member'],
  member_left: ['member'],
  update_member: ['member', 'uid', 'url', 'version'],
  set_placement: ['epoch', 'rows'],
  replace_replica: ['member', 'lives'],
  retire_replica: ['member', 'lives'],
} as const satisfies Record<MetaCommand['name'], readonly string[]>

export function encodeMetaCommand(command: MetaCommand): Uint8Array {
  const fields = command as unknown as { readonly [field: string]: Plain }
  return packPlain([command.name, ...FIELDS[command.name].map((field) => fields[field] ?? null)])
}

/** The value, or the refusal thrown. */
export function valueOf(reply: Plain): Plain {
  const [ok, value, message] = Array.isArray(reply) ? (reply as readonly Plain[]) : []
  if (ok === true) return value ?? null
  const code = typeof value === 'string' && isErrorCode(value) ? value : 'UNKNOWN_OUTCOME'
  throw new TricordError(code, typeof message === 'string' ? message : 'meta gave no answer')
}

export function decodeMetaCommand(bytes: Uint8Array): MetaCommand | null {
  const tuple = unpackPlain(bytes)
  if (!Array.isArray(tuple)) return null
  const [name, a, b, c, d] = tuple as readonly Plain[]
  switch (name) {
    case 'found':
      return isFormation(a) && isRows(b) ? { name, formation: a, rows: b } : null
    case 'add_member':
      return isText(a) && isText(b) && isText(c) && isText(d) ? { name, id: a, uid: b, url: c, version: d } : null
    case 'remove_member':
      return isText(a) ? { name, id: a } : null
    case 'member_active':
    case 'member_left':
      return isCount(a) ? { name, member: a } : null
    case 'update_member':
      return isCount(a) && isText(b) && isText(c) && isText(d) ? { name, member: a, uid: b, url: c, version: d } : null
    case 'set_placement':
      return isCount(a) && isRows(b) ? { name, epoch: a, rows: b } : null
    case 'replace_replica':
    case 'retire_replica':
      return isCount(a) && isLives(b) ? { name, member: a, lives: b } : null
    default:
      return null
  }
}

const TEXT_MAX = 1_024
const isText = (value: Plain | undefined): value is string => typeof value === 'string' && value.length <= TEXT_MAX
/** Far more than a cluster is told to have; a table has to be made of them. */
const PARTITIONS_MAX = 1_024
export const isCount = (value: Plain | undefined): value is number => Number.isSafeInteger(value) && (value as number) >= 0

function isRows(value: Plain | undefined): value is Plain & readonly PlacementRow[] {
  const isRow = (row: Plain): boolean => {
    const [group, replicas] = Array.isArray(row) ? (row as readonly Plain[]) : []
    return isCount(group) && Array.isArray(replicas) && replicas.length > 0 && replicas.every(isCount)
  }
  return Array.isArray(value) && value.every(isRow)
}

export function isLives(value: Plain | undefined): value is Plain & readonly LifeRow[] {
  return Array.isArray(value) && value.every((row: Plain) => Array.isArray(row) && row.length === 2 && row.every(isCount))
}

export function isMember(value: unknown): value is Member {
  if (typeof value !== 'object' || value === null) return false
  const { member, id, uid, url, version, state } = value as { readonly [key: string]: Plain }
  const known = state === 'active' || state === 'joining' || state === 'leaving'
  return isCount(member) && member > 0 && isText(id) && isText(uid) && isText(url) && isText(version) && known
}

export function isFormation(value: unknown): value is Plain & Formation {
  if (typeof value !== 'object' || value === null) return false
  const { clusterId, secret = '', name, partitions, replicas, founders } = value as { readonly [key: string]: Plain }
  if (!isText(clusterId) || !isText(secret) || !isText(name) || !isCount(partitions) || !isCount(replicas)) return false
  return (
    partitions > 0 &&
    partitions <= PARTITIONS_MAX &&
    replicas > 0 &&
    Array.isArray(founders) &&
    founders.length > 0 &&
    founders.every(isMember)
  )
}
