/**
 * Bounded load, with as few moves as it takes. Pure; ties go to the lower member number, so the result is one.
 *
 *   replicas:  keep what may stay ─> fill what is missing ─> who has too much gives ─> who has too little takes
 *   leaders:   the first of each row ─> along a chain of groups, from who leads too many to who has room
 */
import type { MemberId } from '../base/ids.ts'

export interface ReplicaRow {
  /** All members, best first. */
  readonly preference: readonly MemberId[]
  /** Those that have it now, at most all. */
  readonly kept: readonly MemberId[]
}

export interface Bounds {
  readonly least: number
  readonly most: number
}

export function balanceReplicas(rows: readonly ReplicaRow[], members: readonly MemberId[], copies: number, bounds: Bounds): MemberId[][] {
  const load = new Map<MemberId, number>(members.map((member) => [member, 0]))
  const loadOf = (member: MemberId): number => load.get(member) ?? 0
  const add = (member: MemberId, by: number): void => void load.set(member, loadOf(member) + by)
  const chosen = rows.map(({ kept }) => kept.slice(0, copies))
  for (const row of chosen) for (const member of row) add(member, 1)

  const rank = (at: number, member: MemberId): number => rows[at]?.preference.indexOf(member) ?? 0
  const fill = (at: number): void => {
    const own = chosen[at] as MemberId[]
    const others = (rows[at]?.preference ?? []).filter((member) => !own.includes(member))
    const roomy = others.filter((member) => loadOf(member) < bounds.most)
    const next = roomy[0] ?? others.sort((a, b) => loadOf(a) - loadOf(b) || a - b)[0]
    if (next === undefined) return
    own.push(next)
    add(next, 1)
  }
  for (const [at, row] of chosen.entries()) while (row.length < copies) fill(at)

  /** Of all groups that `from` has and `to` has not, the one that `to` ranks highest in. */
  const move = (from: MemberId, to: MemberId): boolean => {
    let best = -1
    for (const [at, row] of chosen.entries()) {
      if (!row.includes(from) || row.includes(to)) continue
      if (best < 0 || rank(at, to) - rank(at, from) < rank(best, to) - rank(best, from)) best = at
    }
    if (best < 0) return false
    const row = chosen[best] as MemberId[]
    row[row.indexOf(from)] = to
    add(from, -1)
    add(to, 1)
    return true
  }
  level(members, loadOf, bounds, move)
  return chosen
}

/** Moves one at a time from the most to the least loaded, until nobody is out of bounds or nothing can move. */
function level(
  members: readonly MemberId[],
  loadOf: (member: MemberId) => number,
  { least, most }: Bounds,
  move: (from: MemberId, to: MemberId) => boolean,
): void {
  for (;;) {
    const byLoad = [...members].sort((a, b) => loadOf(b) - loadOf(a) || a - b)
    const [top, bottom] = [byLoad[0] as MemberId, byLoad.at(-1) as MemberId]
    if ((loadOf(top) <= most && loadOf(bottom) >= least) || loadOf(top) - loadOf(bottom) < 2) return
    const givers = byLoad.filter((member) => loadOf(member) - loadOf(bottom) >= 2)
    if (!givers.some((from) => move(from, bottom))) return
  }
}

/** One of each row, nobody more often than `most` where that is possible at all; the first of a row where it may stay. */
export function balanceLeaders(rows: readonly (readonly MemberId[])[], members: readonly MemberId[], most: number): MemberId[] {
  const leaders = rows.map((row) => row[0] as MemberId)
  const count = (member: MemberId): number => leaders.filter((leader) => leader === member).length
  for (const member of members) while (count(member) > most && shift(rows, leaders, member, (to) => count(to) < most)) continue
  return leaders
}

/** Breadth first: the shortest chain of groups along which the load of `from` can be passed on to one with room. */
function shift(rows: readonly (readonly MemberId[])[], leaders: MemberId[], from: MemberId, hasRoom: (to: MemberId) => boolean): boolean {
  const via = new Map<MemberId, { readonly at: number; readonly giver: MemberId }>()
  const queue = [from]
  for (let giver = queue.shift(); giver !== undefined; giver = queue.shift()) {
    for (const [at, row] of rows.entries()) {
      if (leaders[at] !== giver) continue
      for (const to of row) {
        if (to === from || via.has(to)) continue
        via.set(to, { at, giver })
        if (!hasRoom(to)) {
          queue.push(to)
          continue
        }
        for (let step = via.get(to), taker = to; step; taker = step.giver, step = via.get(taker)) leaders[step.at] = taker
        return true
      }
    }
  }
  return false
}
