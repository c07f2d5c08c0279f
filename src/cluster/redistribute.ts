/** The two messages by which groups move between nodes, as tuples; reading them is total. */
import type { Plain } from '../actors/envelope.ts'
import type { GroupId, ReplicaId, Term } from '../base/ids.ts'
import { isFormation, isLives, isMember } from './meta-machine-commands.ts'
import type { MetaView, Placement } from './types.ts'

type ReplicaRow = readonly [group: GroupId, replica: ReplicaId]

export interface Redistribute {
  /** The newest table that the sender knows. */
  readonly epoch: number
  readonly takes: readonly ReplicaRow[]
  readonly asks: readonly ReplicaRow[]
  readonly wantsView: boolean
}

export interface RedistributeReply {
  readonly outs: readonly (readonly [group: GroupId, replica: ReplicaId, term: Term])[]
  readonly view: MetaView | null
}

export function encodeRedistribute({ epoch, takes, asks, wantsView }: Redistribute): Plain {
  return [epoch, takes, asks, wantsView]
}

export function decodeRedistribute(payload: Plain): Redistribute | null {
  if (!Array.isArray(payload) || payload.length !== 4) return null
  const [epoch, takes, asks, wantsView] = payload as readonly Plain[]
  if (typeof epoch !== 'number' || !isLives(takes) || !isLives(asks) || typeof wantsView !== 'boolean') return null
  return { epoch, takes, asks, wantsView }
}

export function encodeRedistributeReply({ outs, view }: RedistributeReply): Plain {
  return [outs, view && encodeView(view)]
}

export function decodeRedistributeReply(payload: Plain): RedistributeReply | null {
  if (!Array.isArray(payload) || payload.length !== 2) return null
  const [outs, view] = payload as readonly Plain[]
  const isOut = (row: Plain): boolean => Array.isArray(row) && row.length === 3 && row.every((value: Plain) => typeof value === 'number')
  if (!Array.isArray(outs) || !outs.every(isOut)) return null
  return { outs: outs as unknown as RedistributeReply['outs'], view: decodeView(view ?? null) }
}

export function encodeView(view: MetaView): Plain {
  return view as unknown as Plain
}

export function decodeView(plain: Plain): MetaView | null {
  if (typeof plain !== 'object' || plain === null) return null
  const { formation, epoch, members, placements } = plain as { readonly [key: string]: Plain }
  if (!isFormation(formation) || typeof epoch !== 'number') return null
  if (!Array.isArray(members) || !members.every(isMember)) return null
  if (!Array.isArray(placements) || !placements.every(isPlacement)) return null
  return plain as unknown as MetaView
}

function isPlacement(plain: Plain): boolean {
  const { group, replicas, lives } = (plain ?? {}) as unknown as Placement
  return Number.isSafeInteger(group) && Array.isArray(replicas) && Array.isArray(lives) && replicas.length === lives.length
}
