/** Kv over a simulated platter, for one life of a node. Batches complete in the order of their calls. */
import type { Kv, KvIterator, KvOp, KvRange } from '../io/kv/kv.ts'
import { KvDamagedError } from '../io/kv/damage.ts'
import { DiskFullError } from '../io/storage.ts'
import type { DiskQueue } from './disk-storage.ts'
import type { KvPlatter } from './kv-platter.ts'

export function notice(): never {
  throw new KvDamagedError('the key-value store is damaged: a block that rotted')
}

export class SimKv implements Kv {
  readonly engine = 'memory'
  readonly #queue: DiskQueue
  readonly #platter: KvPlatter
  #freeAt = 0

  constructor(queue: DiskQueue, platter: KvPlatter) {
    this.#queue = queue
    this.#platter = platter
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#queue.run(() => this.#platter.get(key))
  }

  getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    return this.#queue.run(() => keys.map((key) => this.#platter.get(key)))
  }

  batch(ops: readonly KvOp[], { sync }: { readonly sync: boolean }): Promise<void> {
    const copy = ops.map(({ key, value }) => ({ key: key.slice(), value: value?.slice() ?? null }))
    if (!this.#queue.life.alive) return new Promise(() => {})
    if (this.#queue.disk.full) {
      return this.#inOrder(() => {
        throw new DiskFullError('ENOSPC: no space left on device')
      })
    }
    if (this.#platter.damage === 'writing') return this.#inOrder(notice)
    this.#platter.inFlight.push(copy)
    return this.#inOrder(() => {
      this.#platter.inFlight.shift()
      this.#platter.land(copy, sync)
    })
  }

  #inOrder<T>(work: () => T): Promise<T> {
    const { world } = this.#queue.disk
    this.#freeAt = Math.max(this.#freeAt + 0.001, world.now + this.#queue.disk.latency())
    return this.#queue.run(work, this.#freeAt - world.now)
  }

  iterate(range: KvRange): KvIterator {
    const pairs = this.#platter.range(range)
    let at = 0
    return {
      next: (max) =>
        this.#queue.run(() => {
          if (this.#platter.damage === 'reading') notice()
          const page = pairs.slice(at, at + max)
          at += page.length
          return page
        }),
      close: () => this.#queue.run(() => {}),
    }
  }

  clear(range: KvRange): Promise<void> {
    return this.#inOrder(() => {
      const ops = this.#platter.range(range).map(([key]) => ({ key, value: null }))
      this.#platter.land(ops, false)
    })
  }

  compact(): Promise<boolean> {
    return this.#queue.run(() => true)
  }

  close(): Promise<void> {
    return this.#inOrder(() => {
      this.#platter.open = false
    })
  }
}
