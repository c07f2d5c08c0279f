/**
 * Which nodes were hindered, and when: what excuses the loss of writes that an owner acknowledged. It looks every few
 * milliseconds, so what is shorter is no excuse.
 */
import { type GroupId, type Millis, type NodeId, partitionGroup } from '../base/ids.ts'
import type { SimCluster, SimNode } from './cluster.ts'

const LOOK_MS: Millis = 5

export class Reach {
  readonly #cluster: SimCluster
  readonly #groups: readonly GroupId[]
  #lookedAt = -Infinity
  /** What was sent while frames were lost or late may hold up what comes behind it until then, though the network is well again. */
  #unreliableUntil = -Infinity
  readonly #hindered = new Map<NodeId, Millis>()
  readonly #unserved = new Map<NodeId, Millis>()

  constructor(cluster: SimCluster) {
    this.#cluster = cluster
    this.#groups = Array.from({ length: cluster.options.partitions }, (_, i) => partitionGroup(i))
  }

  /** When the node was last frozen, or cut off from one that was up; where what is sent may be lost or late, that is always. */
  hinderedAt(node: NodeId): Millis {
    const unreliable = this.#isUnreliable() ? Infinity : this.#unreliableUntil
    return Math.max(this.#hindered.get(node) ?? -Infinity, Math.min(this.#cluster.world.now, unreliable))
  }

  /** When some home was last not there for it: nobody led, or a majority could not hear who did, or the two did not hear each other. */
  unservedAt(node: NodeId): Millis {
    return this.#unserved.get(node) ?? -Infinity
  }

  look(): void {
    const { world, up } = this.#cluster
    if (world.now - this.#lookedAt < LOOK_MS) return
    this.#lookedAt = world.now
    if (this.#isUnreliable()) this.#unreliableUntil = Math.max(world.now, this.#cluster.network.heldUntil)
    const served = this.#groups.map((group) => this.#homeOf(group))
    for (const node of up) {
      if (!this.#isWell(node) || up.some((other) => !this.#hear(node, other))) this.#hindered.set(node.id, world.now)
      const isServed = this.#isWell(node) && served.every((home) => home !== null && this.#hear(node, home))
      if (!isServed) this.#unserved.set(node.id, world.now)
    }
  }

  #isUnreliable(): boolean {
    const { loss, straggle } = this.#cluster.network.options
    return loss > 0 || straggle > 0
  }

  /** The leader, where a majority hears it. */
  #homeOf(group: GroupId): SimNode | null {
    const home = this.#cluster.leader(group)
    const voters = home?.running?.node.host.status(group)?.membership.voters.length ?? 0
    if (home === null || !this.#isWell(home) || home.disk.full) return null
    const hearers = this.#cluster.up.filter(
      (node) => node.running?.node.host.replicaOf(group) != null && this.#isWell(node) && !node.disk.full && this.#hear(node, home),
    )
    return 2 * hearers.length > voters ? home : null
  }

  #isWell({ id, life }: SimNode): boolean {
    return life?.paused === false && this.#cluster.network.transportOf(id)?.connected === true
  }

  #hear({ id: a }: SimNode, { id: b }: SimNode): boolean {
    const { world, network } = this.#cluster
    const isOpen = (from: NodeId, to: NodeId): boolean =>
      !network.links.isCut(from, to) && network.links.cloggedUntil(from, to) <= world.now
    return a === b || (isOpen(a, b) && isOpen(b, a))
  }
}
