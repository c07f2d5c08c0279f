/**
 * The cluster time T of each group, as a checker may know it: that of the latest entry that was applied anywhere.
 *
 *   asked  ≤  T of the entry  ≤  answered          (each: `of` at that moment; T rises along the log)
 *
 * So what the clients see is held against the clock that decides it, however fast or slow that one passes in the world.
 */
import { type GroupId, type Millis, partitionGroup } from '../base/ids.ts'
import type { Checker } from './checkers/checker.ts'
import type { SimCluster } from './cluster.ts'
import { NAMESPACE } from './queue-workload.ts'

export class ClusterTime {
  readonly checker: Checker
  readonly #cluster: SimCluster
  /** Rising. */
  readonly #known = new Map<GroupId, Millis[]>()
  readonly #groups = new Map<string, GroupId>()

  constructor(cluster: SimCluster) {
    this.#cluster = cluster
    this.checker = {
      seen: ({ group, status }) => {
        if (status.serving) this.#learn(group, status.appliedTime)
      },
    }
  }

  /** 0 as long as nobody could tell where the queue lives. */
  of(queue: string): Millis {
    return this.#timesOf(queue).at(-1) ?? 0
  }

  /** The first from this one on that an entry is known to have had; Infinity: none so far. */
  firstFrom(queue: string, time: Millis): Millis {
    if (time === Infinity) return Infinity
    const known = this.#timesOf(queue)
    let [low, high] = [0, known.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((known[middle] as Millis) < time) low = middle + 1
      else high = middle
    }
    return known[low] ?? Infinity
  }

  #timesOf(queue: string): readonly Millis[] {
    const group = this.#groupOf(queue)
    // In the midst of an event the checkers have not looked yet.
    for (const { running } of this.#cluster.up) {
      const status = running?.node.host.status(group)
      if (status?.serving === true) this.#learn(group, status.appliedTime)
    }
    return this.#known.get(group) ?? []
  }

  #groupOf(queue: string): GroupId {
    const queues = this.#cluster.up[0]?.running?.queues
    const group = this.#groups.get(queue) ?? partitionGroup(queues?.partitionOf({ namespace: NAMESPACE, queue }) ?? 0)
    if (queues) this.#groups.set(queue, group)
    return group
  }

  #learn(group: GroupId, time: Millis): void {
    const known = this.#known.get(group)
    if (known === undefined) this.#known.set(group, [time])
    else if (time > (known.at(-1) as Millis)) known.push(time)
  }
}
