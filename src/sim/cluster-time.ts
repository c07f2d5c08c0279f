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
  readonly #latest = new Map<GroupId, Millis>()
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
    const group = this.#groupOf(queue)
    // In the midst of an event the checkers have not looked yet.
    for (const { running } of this.#cluster.up) {
      const status = running?.node.host.status(group)
      if (status?.serving === true) this.#learn(group, status.appliedTime)
    }
    return this.#latest.get(group) ?? 0
  }

  #groupOf(queue: string): GroupId {
    const queues = this.#cluster.up[0]?.running?.queues
    const group = this.#groups.get(queue) ?? partitionGroup(queues?.partitionOf({ namespace: NAMESPACE, queue }) ?? 0)
    if (queues) this.#groups.set(queue, group)
    return group
  }

  #learn(group: GroupId, time: Millis): void {
    if (time > (this.#latest.get(group) ?? 0)) this.#latest.set(group, time)
  }
}
