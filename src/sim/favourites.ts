/**
 * Where a key is mostly asked for: a node at a time, another one after a while. A line that all nodes write by turns is owned by
 * nobody for long, and an owner that never wrote anything twice has nothing to lose.
 */
import type { Millis, NodeId } from '../base/ids.ts'
import type { SimCluster } from './cluster.ts'
import type { Dice } from './dice.ts'

const STAY_MEAN_MS: Millis = 2_000
/** Now and then any other node is asked. */
const FAVOURED = 0.9

interface Favourite {
  readonly node: NodeId
  readonly until: Millis
}

export class Favourites {
  readonly #cluster: SimCluster
  readonly #dice: Dice
  readonly #nodes = new Map<string, Favourite>()

  constructor(cluster: SimCluster, dice: Dice) {
    this.#cluster = cluster
    this.#dice = dice
  }

  /** Null: any node. */
  of(key: string): NodeId | null {
    if (!this.#dice.chance(FAVOURED)) return null
    const { world, ids } = this.#cluster
    let favourite = this.#nodes.get(key)
    if (favourite === undefined || world.now >= favourite.until) {
      favourite = { node: this.#dice.pick(ids), until: world.now + this.#dice.exponential(STAY_MEAN_MS) }
      this.#nodes.set(key, favourite)
    }
    return favourite.node
  }
}
