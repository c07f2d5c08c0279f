/** What this node counts for each cache. Bounded: caches beyond the most are counted together, and shown by none. */
import type { LineId, ToHome, ToNode } from '../coherence/protocol.ts'
import { cachePart, linePrefix } from '../line-id.ts'
import type { CacheName } from '../types.ts'

const CACHES_MAX = 10_000

export interface CacheCounts {
  hits: number
  misses: number
  getS: number
  getM: number
  inv: number
  invAck: number
  recall: number
  /** Copies that were taken back before anybody had read them again. */
  falseInvalidations: number
}

const COUNTED: Partial<Record<(ToHome | ToNode)['type'], keyof CacheCounts>> = {
  getS: 'getS',
  getM: 'getM',
  inv: 'inv',
  invAck: 'invAck',
  recall: 'recall',
}

export class Tally {
  readonly #byCache = new Map<string, CacheCounts>()
  /** The same by namespace and name: every read counts, and is not to make a text for it. */
  readonly #byName = new Map<string, Map<string, CacheCounts>>()
  readonly #others = noCounts()

  /** null: nothing was counted. */
  find({ namespace, cache }: CacheName): CacheCounts | null {
    return this.#byCache.get(linePrefix('entry', namespace, cache).slice(1)) ?? null
  }

  /** Of the cache of a line. */
  of(line: LineId): CacheCounts {
    const cache = cachePart(line)
    let counts = this.#byCache.get(cache)
    if (counts === undefined) {
      if (this.#byCache.size >= CACHES_MAX) return this.#others
      this.#byCache.set(cache, (counts = noCounts()))
    }
    return counts
  }

  ofCache(namespace: string, cache: string): CacheCounts {
    const known = this.#byName.get(namespace)?.get(cache)
    if (known !== undefined) return known
    const counts = this.of(linePrefix('entry', namespace, cache))
    if (counts === this.#others) return counts
    const caches = this.#byName.get(namespace) ?? new Map<string, CacheCounts>()
    this.#byName.set(namespace, caches.set(cache, counts))
    return counts
  }

  message(message: ToHome | ToNode): void {
    const member = COUNTED[message.type]
    if (member !== undefined && 'line' in message) this.of(message.line)[member]++
  }
}

function noCounts(): CacheCounts {
  return { hits: 0, misses: 0, getS: 0, getM: 0, inv: 0, invAck: 0, recall: 0, falseInvalidations: 0 }
}
