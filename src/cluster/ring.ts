/**
 * The consistent-hash ring: 150 points per member, a partition belongs to the members that follow its own point clockwise
 * (Karger 1997). Adding a member moves only what falls to it.
 *
 *        n1 · n3 · n2 · n1 · n2 · n3 …      a key's order of preference = the distinct members met from its point on
 */
import type { Hash } from '../base/hash.ts'
import type { MemberId } from '../base/ids.ts'

export const VIRTUAL_NODES = 150

export interface Ring {
  /** All members, in the order in which the ring meets them from the point of `key` on. */
  preference(key: string): readonly MemberId[]
}

interface Point {
  readonly at: number
  readonly member: MemberId
}

export function createRing(members: readonly MemberId[], hash: Hash): Ring {
  const points: Point[] = []
  for (const member of members) for (let i = 0; i < VIRTUAL_NODES; i++) points.push({ at: hash(`member/${member}/${i}`), member })
  points.sort((a, b) => a.at - b.at || a.member - b.member)
  return {
    preference(key) {
      const met = new Set<MemberId>()
      const start = firstFrom(points, hash(key))
      for (let i = 0; i < points.length && met.size < members.length; i++) met.add((points[(start + i) % points.length] as Point).member)
      return [...met]
    },
  }
}

function firstFrom(points: readonly Point[], at: number): number {
  let [low, high] = [0, points.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((points[middle] as Point).at < at) low = middle + 1
    else high = middle
  }
  return low
}

/** The text that places a key: what stands in its first `{…}`, or the whole of it. */
export function placementKey(key: string): string {
  const open = key.indexOf('{')
  const close = open < 0 ? -1 : key.indexOf('}', open + 1)
  return close > open + 1 ? key.slice(open + 1, close) : key
}

export function partitionOf(key: string, partitions: number, hash: Hash): number {
  return hash(placementKey(key)) % partitions
}
