/**
 * How much room there is where a command of a group has to be stored: on the disks of a majority. A leader whose own disk has
 * room would else fill those of its followers, until so many can write nothing that the group can neither commit nor elect:
 * not even what makes room would get through.
 *
 *   voters by their room   enough  low  full     the second of three, the third of five: so much has the majority
 *
 * Who is not up stores nothing, be it that nobody here ever heard of him. Where no majority is left without them, that is what callers
 * are told, and not that disks are low.
 */
import type { NodeId, ReplicaId } from '../../base/ids.ts'
import { majority } from '../core/quorum.ts'
import type { Membership } from '../core/types.ts'
import { DISK_ROOMS, type DiskRoom } from '../disk-room.ts'

export interface QuorumRoomParts {
  readonly nodeOf: (replica: ReplicaId) => NodeId | null
  readonly up: ReadonlySet<NodeId>
}

export class QuorumRoom {
  readonly #parts: QuorumRoomParts
  /** Of other nodes, by their last word; only those that have not enough. */
  readonly #scarce = new Map<NodeId, DiskRoom>()

  constructor(parts: QuorumRoomParts) {
    this.#parts = parts
  }

  saw(node: NodeId, room: DiskRoom): void {
    if (room === 'enough') this.#scarce.delete(node)
    else this.#scarce.set(node, room)
  }

  /** For a group that is led by `self`, on a disk with room `own`. In a joint configuration both majorities have to store it. */
  of(self: ReplicaId, own: DiskRoom, { voters, outgoing }: Membership): DiskRoom {
    if (this.#scarce.size === 0) return 'enough'
    const halves = [voters, outgoing].map((half) => this.#ofHalf(half, self, own))
    return DISK_ROOMS.findLast((room) => halves.includes(room)) ?? 'enough'
  }

  #ofHalf(voters: readonly ReplicaId[], self: ReplicaId, own: DiskRoom): DiskRoom {
    const rooms = voters.map((voter) => (voter === self ? own : this.#roomOf(voter)))
    const needed = majority(voters.length)
    return (
      DISK_ROOMS.find((_, worst) => rooms.filter((room) => room !== null && DISK_ROOMS.indexOf(room) <= worst).length >= needed) ?? 'enough'
    )
  }

  /** Null: it stores nothing. */
  #roomOf(replica: ReplicaId): DiskRoom | null {
    const node = this.#parts.nodeOf(replica)
    return node === null || !this.#parts.up.has(node) ? null : (this.#scarce.get(node) ?? 'enough')
  }
}
