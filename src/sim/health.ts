/**
 * Whether a group could go on as far as the faults let it: a leader that runs, and a majority of voters that run and hear it.
 * The liveness checkers count only the time in which it could.
 */
import type { GroupId } from '../base/ids.ts'
import type { GroupStatus } from '../raft/group-host.ts'
import type { SimCluster, SimNode } from './cluster.ts'

export interface Led {
  readonly node: SimNode
  readonly status: GroupStatus
}

/** The replica that leads by the highest term; null where none of those that run does. */
export function leaderOf(cluster: SimCluster, group: GroupId): Led | null {
  let led: Led | null = null
  for (const node of cluster.up) {
    const status = node.running?.node.host.status(group) ?? null
    if (status?.role === 'leader' && (led === null || status.term > led.status.term)) led = { node, status }
  }
  return led
}

/** It leads, serves, and a majority of each half of its voters is in touch with it. */
export function canGoOn(cluster: SimCluster, { node, status }: Led): boolean {
  if (!isWell(cluster, node) || !status.serving) return false
  const inTouch = new Set<number>()
  for (const peer of cluster.up) {
    const there = peer.running?.node.host.status(status.group) ?? null
    const replica = peer.running?.node.host.replicaOf(status.group) ?? null
    if (there?.serving !== true || replica === null || !isWell(cluster, peer) || !hears(cluster, node, peer)) continue
    inTouch.add(replica)
  }
  const { voters, outgoing } = status.membership
  return [voters, outgoing].every((half) => half.length === 0 || half.filter((voter) => inTouch.has(voter)).length * 2 > half.length)
}

function isWell({ network }: SimCluster, { id, up, stopping, life, disk }: SimNode): boolean {
  return up && !stopping && life?.paused === false && !disk.full && !disk.failNextSync && network.transportOf(id)?.connected === true
}

function hears({ world, network: { links } }: SimCluster, { id: a }: SimNode, { id: b }: SimNode): boolean {
  if (a === b) return true
  return [`${a} ${b}`, `${b} ${a}`].every((link) => {
    const [from = '', to = ''] = link.split(' ')
    return !links.isCut(from, to) && links.cloggedUntil(from, to) <= world.now
  })
}
