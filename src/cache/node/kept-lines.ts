/**
 * How many copies this node may read, by partition and cache. Copies die with the session that brought them, all of a partition at
 * once, and lie in the store until their room is wanted: what is counted is of one epoch, and counts while that one lasts.
 */
import type { LineId } from '../coherence/protocol.ts'
import { cachePart, isEntry } from '../line-id.ts'

interface Counted {
  readonly epoch: number
  total: number
  /** Of entries. Lines of tags and configurations are nobody's. */
  readonly byCache: Map<string, number>
}

export class KeptLines {
  /** Of a partition's copies that may be read now; null: none may. */
  readonly #epochOf: (partition: number) => number | null
  readonly #byPartition = new Map<number, Counted>()

  constructor(epochOf: (partition: number) => number | null) {
    this.#epochOf = epochOf
  }

  /** A copy of this epoch came, or went. */
  note(partition: number, epoch: number, line: LineId, change: 1 | -1): void {
    let counted = this.#byPartition.get(partition)
    if (counted === undefined || counted.epoch < epoch) {
      counted = { epoch, total: 0, byCache: new Map() }
      this.#byPartition.set(partition, counted)
    }
    if (counted.epoch !== epoch) return
    counted.total += change
    if (!isEntry(line)) return
    const cache = cachePart(line)
    const lines = (counted.byCache.get(cache) ?? 0) + change
    if (lines === 0) counted.byCache.delete(cache)
    else counted.byCache.set(cache, lines)
  }

  /** Of all caches, tags and configurations. */
  total(): number {
    return this.#sum(({ total }) => total)
  }

  /** Of the entries of the cache of a line. */
  ofCache(line: LineId): number {
    const cache = cachePart(line)
    return this.#sum(({ byCache }) => byCache.get(cache) ?? 0)
  }

  #sum(count: (counted: Counted) => number): number {
    let sum = 0
    for (const [partition, counted] of this.#byPartition) if (this.#epochOf(partition) === counted.epoch) sum += count(counted)
    return sum
  }
}
