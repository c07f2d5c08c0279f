/** To whom a group is handed over: the voter that is there and has most of the log. */
import type { ReplicaId } from '../../base/ids.ts'
import type { PeerProgress } from '../core/raft-core.ts'
import type { Group } from './group.ts'

/** Null: there is nobody. */
export function heirOf(group: Group): ReplicaId | null {
  const { progress, membership } = group.core.status()
  let heir: PeerProgress | null = null
  for (const peer of progress) {
    if (peer.replica === group.replica || !peer.active || !membership.voters.includes(peer.replica)) continue
    if (heir === null || peer.match > heir.match) heir = peer
  }
  return heir === null ? null : heir.replica
}

/** Begins to hand the group over, if it is led here, to somebody, and is not on its way already. */
export function handOver(group: Group): boolean {
  const heir = heirOf(group)
  return heir !== null && group.core.status().transferee === 0 && group.core.transferLeadership(heir)
}
