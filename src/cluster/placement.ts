/**
 * From members to the placement table: which members replicate which group, and who should lead it.
 *
 *  1. A group gets R distinct members (all, where there are fewer), by the ring's order of preference.
 *  2. Bounded load (Mirrokni et al. 2018): no member carries more than 1.10 times its share of the replicas, nor leads
 *     more than 1.10 times its share of the groups; what is over spills to the next in the order.
 *  3. `meta` has up to five voters, the lowest member numbers: it hardly ever moves. Every other member learns it, so that
 *     each node knows the table.
 *
 * Deterministic: the founders compute the first table each for themselves, and it must be the same.
 */
import type { Hash } from '../base/hash.ts'
import { FIRST_PARTITION, type GroupId, LOCKS_GROUP, META_GROUP, type MemberId } from '../base/ids.ts'
import { createRing } from './ring.ts'
import type { Placement } from './types.ts'

const LOAD_FACTOR = 1.1
export const META_VOTERS_MAX = 5

export interface PlacementOptions {
  readonly partitions: number
  readonly replicas: number
  /** The life of a member's replica of a group; 0 unless it was replaced. */
  readonly lifeOf: (group: GroupId, member: MemberId) => number
}

export function place(members: readonly MemberId[], options: PlacementOptions, hash: Hash): readonly Placement[] {
  const sorted = [...members].sort((a, b) => a - b)
  const groups: GroupId[] = [LOCKS_GROUP, ...Array.from({ length: options.partitions }, (_, i) => FIRST_PARTITION + i)]
  const ring = createRing(sorted, hash)
  const preferences = groups.map((group) => ring.preference(`group/${group}`))
  const copies = Math.min(options.replicas, sorted.length)
  const replicas = spread(preferences, sorted, copies, Math.ceil((LOAD_FACTOR * groups.length * copies) / sorted.length))
  const leaders = spread(replicas, sorted, 1, Math.ceil((LOAD_FACTOR * groups.length) / sorted.length))
  const placements: Placement[] = [placement(META_GROUP, sorted, options)]
  for (const [at, group] of groups.entries()) {
    const own = replicas[at] ?? []
    const leader = leaders[at]?.[0] ?? own[0] ?? 0
    placements.push(placement(group, [leader, ...own.filter((member) => member !== leader)], options))
  }
  return placements
}

/** Of a placement's members, who votes: all, but of `meta` the first five. */
export function votersOf({ group, replicas }: Placement): readonly MemberId[] {
  return group === META_GROUP ? replicas.slice(0, META_VOTERS_MAX) : replicas
}

function placement(group: GroupId, replicas: readonly MemberId[], options: PlacementOptions): Placement {
  return { group, replicas, lives: replicas.map((member) => options.lifeOf(group, member)) }
}

/** For each row of preferences, the first `count` members that still have room; where too few have, the least loaded. */
function spread(rows: readonly (readonly MemberId[])[], members: readonly MemberId[], count: number, cap: number): MemberId[][] {
  const load = new Map<MemberId, number>(members.map((member) => [member, 0]))
  const loadOf = (member: MemberId) => load.get(member) ?? 0
  return rows.map((preference) => {
    const chosen = preference.filter((member) => loadOf(member) < cap).slice(0, count)
    if (chosen.length < count) {
      const rest = preference.filter((member) => !chosen.includes(member)).sort((a, b) => loadOf(a) - loadOf(b) || a - b)
      chosen.push(...rest.slice(0, count - chosen.length))
    }
    for (const member of chosen) load.set(member, loadOf(member) + 1)
    return chosen
  })
}
