/**
 * The last phase through one node: a message is taken in, leased, left alone, and whoever has the lease is told that it is lost.
 * Of all that is best effort in between, none may fail for good once nothing is done to the cluster any more.
 */
import type { SimCluster, SimNode } from './cluster.ts'
import { NAMESPACE } from './queue-workload.ts'
import { SimFailure } from './world.ts'

const RETRY_MS = 250
const VISIBILITY_MS = 200
const WAIT_MS = 2_000
/** For the news of one lease: then another is taken. */
const NEWS_MS = 5_000

export class FinalQueue {
  readonly #cluster: SimCluster
  readonly #node: SimNode
  readonly #queue: string
  readonly #timeoutMs: number
  readonly #done: () => void
  #isTold = false

  constructor(cluster: SimCluster, node: SimNode, queue: string, timeoutMs: number, done: () => void) {
    this.#cluster = cluster
    this.#node = node
    this.#queue = queue
    this.#timeoutMs = timeoutMs
    this.#done = done
  }

  enqueue(body: Uint8Array): void {
    const { world } = this.#cluster
    const message = { body, group: '', dedupId: '', delayMs: 0, priority: 0, ttlMs: 0 }
    const command = { type: 'queue_enqueue', namespace: NAMESPACE, queue: this.#queue, messages: [message] } as const
    this.#node.running?.queues.submit(command, { timeoutMs: this.#timeoutMs }, (reply) => {
      if (!(reply instanceof Error)) this.#lease()
      // It looks at its disk now and then: room is noticed a while after it is there.
      else if (reply.code === 'DISK_LOW') world.at(RETRY_MS, 'final enqueue again', () => this.enqueue(body))
      else world.fail(new SimFailure(`liveness: ${this.#node.id} could not enqueue: ${reply.message}`))
    })
  }

  #lease(): void {
    const { running } = this.#node
    if (!running) return
    const { watcher, end } = running.lostLeases.watch(() => {
      if (!this.#isTold) this.#done()
      this.#isTold = true
    })
    const demand = { max: 1, waitMs: WAIT_MS, visibilityMs: VISIBILITY_MS, consumer: 'final', watcher }
    const command = { type: 'queue_dequeue', namespace: NAMESPACE, queue: this.#queue, ...demand } as const
    running.queues.submit(command, { timeoutMs: this.#timeoutMs }, () => undefined)
    this.#cluster.world.at(NEWS_MS, 'final lease again', () => {
      end()
      if (!this.#isTold) this.#lease()
    })
  }
}
