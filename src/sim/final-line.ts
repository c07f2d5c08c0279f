/**
 * The last phase through one node: a value is written and read back, on every other node as well, within 5 s of the moment at
 * which the cluster could serve again.
 */
import { TricordError } from '../base/errors.ts'
import type { Millis } from '../base/ids.ts'
import type { SimCluster, SimNode } from './cluster.ts'
import { CACHE } from './cache-workload.ts'
import { SimFailure } from './world.ts'

const RETRY_MS = 250
const HEALED_MS: Millis = 5_000

export class FinalLine {
  readonly #cluster: SimCluster
  readonly #node: SimNode
  readonly #key: string
  readonly #timeoutMs: Millis
  readonly #done: () => void
  #askedAt: Millis

  constructor(cluster: SimCluster, node: SimNode, key: string, timeoutMs: Millis, done: () => void) {
    this.#cluster = cluster
    this.#node = node
    this.#key = key
    this.#timeoutMs = timeoutMs
    this.#done = done
    this.#askedAt = Math.max(cluster.world.now, cluster.network.heldUntil)
  }

  write(): void {
    const { world } = this.#cluster
    const value = { value: new TextEncoder().encode(this.#node.id), contentType: 'text/plain', ttlMs: 0, slidingMs: 0, tags: [] }
    this.#node.running?.caches.put({ ...CACHE, key: this.#key }, value, null, null, { timeoutMs: this.#timeoutMs }).then(
      () => this.#read([...this.#cluster.up]),
      (error: unknown) => {
        if (!(error instanceof TricordError) || error.code !== 'DISK_LOW') return this.#fail('write', error)
        // It looks at its disk now and then: room is noticed a while after it is there.
        this.#askedAt = world.now
        world.at(RETRY_MS, 'final write again', () => this.write())
      },
    )
  }

  #read([node, ...others]: readonly SimNode[]): void {
    if (node === undefined) return this.#end()
    const read = node.running?.caches.get({ ...CACHE, key: this.#key }, { timeoutMs: this.#timeoutMs })
    read?.then(
      ({ entry }) => {
        const text = entry && new TextDecoder().decode(entry.value)
        if (text !== this.#node.id) this.#fail('read', `${node.id} has ${text ?? 'nothing'} of what ${this.#node.id} wrote`)
        else this.#read(others)
      },
      (error: unknown) => this.#fail('read', error),
    )
  }

  #end(): void {
    const tookMs = this.#cluster.world.now - this.#askedAt
    if (tookMs > HEALED_MS) this.#fail('heal', `it took ${Math.round(tookMs)} ms to write and read through ${this.#node.id}`)
    else this.#done()
  }

  #fail(what: string, why: unknown): void {
    this.#cluster.world.fail(new SimFailure(`liveness: final ${what}: ${String(why)}`))
  }
}
