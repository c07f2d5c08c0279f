/** The two messages by which groups move between nodes, as tuples; reading them is total. */
import type { Plain } from '../actors/envelope.ts'
import { type GroupId, LIVES_PER_MEMBER, type ReplicaId, type Term } from '../base/ids.ts'
import { isCount, isFormation, isLives, isMember } from './meta-machine-commands.ts'
import type { MetaView } from './types.ts'

type ReplicaRow = readonly [group: GroupId, replica: ReplicaId]

export interface Redistribute {
  /** The newest table that the sender knows. */
  readonly epoch: number
  readonly takes: readonly ReplicaRow[]
  readonly asks: readonly ReplicaRow[]
  /** From a leader: the table gives you this; if you have it, take it. */
  readonly offers: readonly ReplicaRow[]
  readonly wantsView: boolean
}

export interface RedistributeReply {
  /** That of the question. */
  readonly epoch: number
  readonly outs: readonly (readonly [group: GroupId, replica: ReplicaId, term: Term])[]
  readonly view: MetaView | null
}

export function encodeRedistribute({ epoch, takes, asks, offers, wantsView }: Redistribute): Plain {
  return [epoch, takes, asks, offers, wantsView]
}

export function decodeRedistribute(payload: Plain): Redistribute | null {
  if (!Array.isArray(payload) || payload.length !== 5) return null
  const [epoch, takes, asks, offers, wantsView] = payload as readonly Plain[]
  if (typeof epoch !== 'number' || !isLives(takes) || !isLives(asks)) return null
  if (!isLives(offers) || typeof wantsView !== 'boolean') return null
  return { epoch, takes, asks, offers, wantsView }
}

export function encodeRedistributeReply({ epoch, outs, view }: RedistributeReply): Plain {
  return [epoch, outs, view && encodeView(view)]
}

export function decodeRedistributeReply(payload: Plain): RedistributeReply | null {
  if (!Array.isArray(payload) || payload.length !== 3) return null
  const [epoch, outs, view] = payload as readonly Plain[]
  const isOut = (row: Plain): boolean => Array.isArray(row) && row.length === 3 && row.every((value: Plain) => typeof value === 'number')
  if (typeof epoch !== 'number' || !Array.isArray(outs) || !outs.every(isOut)) return null
  return { epoch, outs: outs as unknown as RedistributeReply['outs'], view: decodeView(view ?? null) }
}

export function encodeView(view: MetaView): Plain {
  return view as unknown as Plain
}

export function decodeView(plain: Plain): MetaView | null {
  if (typeof plain !== 'object' || plain === null) return null
  const { formation, epoch, nextMember, members, placements } = plain as { readonly [key: string]: Plain }
  if (!isFormation(formation) || !isCount(epoch) || !isCount(nextMember)) return null
  if (!Array.isArray(members) || !members.every(isMember)) return null
  if (!Array.isArray(placements) || !placements.every(isPlacement)) return null
  return plain as unknown as MetaView
}

function isPlacement(plain: Plain): boolean {
  const { group, replicas, lives } = (plain ?? {}) as { readonly [key: string]: Plain }
  if (!isCount(group) || !Array.isArray(replicas) || !Array.isArray(lives) || replicas.length === 0) return false
  const isLife = (life: Plain): boolean => isCount(life) && life < LIVES_PER_MEMBER
  return replicas.length === lives.length && replicas.every((member: Plain) => isCount(member) && member > 0) && lives.every(isLife)
}
