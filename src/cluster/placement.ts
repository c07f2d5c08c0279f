/**
 * From members to the placement table: which members replicate which group, and who should lead it.
 *
 *  1. A group gets R distinct members (all, where there are fewer), by the ring's order of preference.
 *  2. Bounded load (Mirrokni et al. 2018): no member carries more than 1.10 times its share of the replicas, nor leads
 *     more than 1.10 times its share of the groups; what is over spills to the next in the order. Nor does anyone carry
 *     less than its share / 1.10, so that a newcomer is of use at once.
 *  3. Little moves: what the table of before gives stays where these two rules allow it.
 *  4. `meta` has up to five voters, the lowest member numbers: it hardly ever moves. Every other member learns it, so that
 *     each node knows the table.
 *
 * Deterministic: the founders compute the first table each for themselves, and it must be the same.
 */
import type { Hash } from '../base/hash.ts'
import { FIRST_PARTITION, type GroupId, LOCKS_GROUP, META_GROUP, type MemberId } from '../base/ids.ts'
import { balanceLeaders, balanceReplicas } from './placement-balance.ts'
import { createRing } from './ring.ts'
import type { Placement } from './types.ts'

const LOAD_FACTOR = 1.1
export const META_VOTERS_MAX = 5

export interface PlacementOptions {
  readonly partitions: number
  readonly replicas: number
  /** The life of a member's replica of a group; 0 unless it was replaced. */
  readonly lifeOf: (group: GroupId, member: MemberId) => number
  /** The table of before; none for the first. */
  readonly current?: readonly Placement[]
}

export function place(members: readonly MemberId[], options: PlacementOptions, hash: Hash): readonly Placement[] {
  const sorted = [...members].sort((a, b) => a - b)
  const groups: GroupId[] = [LOCKS_GROUP, ...Array.from({ length: options.partitions }, (_, i) => FIRST_PARTITION + i)]
  const before = new Map((options.current ?? []).map(({ group, replicas }) => [group, replicas]))
  const ring = createRing(sorted, hash)
  const copies = Math.min(options.replicas, sorted.length)
  const rows = groups.map((group) => {
    const kept = (before.get(group) ?? []).filter((member) => sorted.includes(member))
    return { preference: ring.preference(`group/${group}`), kept }
  })
  const replicas = balanceReplicas(rows, sorted, copies, bounds((groups.length * copies) / sorted.length))
  const ranked = replicas.map((chosen, at) => {
    const { preference, kept } = rows[at] as (typeof rows)[number]
    // A preferred leader that stays a replica stays the preferred leader.
    const first = kept[0] !== undefined && chosen.includes(kept[0]) ? [kept[0]] : []
    return [...new Set([...first, ...preference.filter((member) => chosen.includes(member))])]
  })
  const leaders = balanceLeaders(ranked, sorted, bounds(groups.length / sorted.length).most)
  const placements: Placement[] = [placement(META_GROUP, sorted, options)]
  for (const [at, group] of groups.entries()) {
    const leader = leaders[at] as MemberId
    const chosen = replicas[at] ?? []
    const others = (rows[at]?.preference ?? []).filter((member) => chosen.includes(member) && member !== leader)
    placements.push(placement(group, [leader, ...others], options))
  }
  return placements
}

function bounds(share: number): { readonly least: number; readonly most: number } {
  return { least: Math.floor(share / LOAD_FACTOR), most: Math.ceil(LOAD_FACTOR * share) }
}

/** Of a placement's members, who votes: all, but of `meta` the first five. */
export function votersOf({ group, replicas }: Pick<Placement, 'group' | 'replicas'>): readonly MemberId[] {
  return group === META_GROUP ? replicas.slice(0, META_VOTERS_MAX) : replicas
}

function placement(group: GroupId, replicas: readonly MemberId[], options: PlacementOptions): Placement {
  return { group, replicas, lives: replicas.map((member) => options.lifeOf(group, member)) }
}
