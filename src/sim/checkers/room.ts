/** That the log of a partition says how much it may hold: as much as the newest placement leaves, on every replica. */
import { FIRST_PARTITION, type GroupId, META_GROUP, LOCKS_GROUP, groupName } from '../../base/ids.ts'
import type { PartitionMachine } from '../../partition-machine.ts'
import type { SimNode } from '../cluster.ts'

const OTHERS = new Set([groupName(META_GROUP), groupName(LOCKS_GROUP)])

export function roomIsSaid(core: readonly SimNode[], replicaBytesMax: number): (group: GroupId) => boolean {
  const running = core.flatMap((node) => node.running?.node ?? [])
  const [newest] = running.map(({ cluster }) => cluster.ring()).sort((a, b) => b.epoch - a.epoch)
  const placed = newest?.placements.filter(({ group }) => !OTHERS.has(group)).flatMap(({ replicas }) => replicas) ?? []
  const most = Math.max(...running.map(({ id }) => placed.filter((node) => node === id).length))
  return (group) =>
    running.every(({ host }) => {
      const machine = group < FIRST_PARTITION || host.replicaOf(group) === null ? null : host.machine(group)
      return machine === null || (machine as PartitionMachine).caches.roomBytes === Math.floor(replicaBytesMax / most)
    })
}
