/**
 * One cache's entries on this partition, and its share of what the cache may hold. Stale entries count: they are there.
 *
 * Invariants: bytes, weights and counts are those of the entries; `ages` has every entry once, in the order of their changes, the
 * policy each that no node owns.
 */
import type { Ordered } from '../../base/lazy-heap.ts'
import type { LineId } from '../coherence/protocol.ts'
import { entryLine } from '../line-id.ts'
import type { Share } from './commands.ts'
import type { Entry } from './entry.ts'
import { CACHE } from './kinds.ts'
import { Ghosts } from './ghosts.ts'
import { AgeList } from './list.ts'
import { type EvictionPolicy, Lru } from './policy.ts'
import { NEARLY_FULL } from './room.ts'
import { S3Fifo } from './s3-fifo.ts'
import { Stored } from './stored.ts'
import type { CacheTable } from './table.ts'

export class Cache extends Stored implements Ordered {
  readonly kind = CACHE
  readonly #table: CacheTable
  readonly number: number
  readonly namespace: string
  readonly name: string
  /** What the lines of its entries begin with. */
  readonly linePrefix: LineId
  readonly entries = new Map<string, Entry>()
  readonly ages = new AgeList()
  share: Share
  policy: EvictionPolicy
  /** Of keys and values. */
  bytes = 0
  /** What its entries take in memory, and those of them that can go. */
  weight = 0
  looseBytes = 0
  /** In the heap of those that hold most. */
  place = -1
  staleEntries = 0
  evictions = 0

  constructor(table: CacheTable, number: number, namespace: string, name: string, share: Share) {
    super()
    this.#table = table
    this.number = number
    this.namespace = namespace
    this.name = name
    this.linePrefix = entryLine(namespace, name, '')
    this.share = share
    this.policy = this.#policyOf(share)
  }

  get order(): number {
    return this.number
  }

  #policyOf({ policy }: Share): EvictionPolicy {
    return policy === 'lru' ? new Lru(this.#table) : new S3Fifo(this.#table, new Ghosts(this.#table.changes, this.number))
  }

  /** Takes a share that is newer than the one it has; the entries stay for now. */
  limit(share: Share): void {
    const before = this.share
    if (share.configVersion < before.configVersion || isSame(share, before)) return
    this.share = share
    this.#table.changes.touched(this)
    if (share.policy === before.policy) return
    const entries = [...this.policy.entries()]
    this.policy.forget()
    this.policy = this.#policyOf(share)
    for (const entry of entries) this.policy.restore(entry)
  }

  /** It is empty, and goes: so do the records of its policy. */
  forget(): void {
    this.policy.forget()
  }

  /** Before long something has to go. */
  get isNearlyFull(): boolean {
    const { bytes, entries } = this.share
    return this.policy.size > 1 && (this.bytes >= bytes * NEARLY_FULL || this.entries.size >= entries * NEARLY_FULL)
  }

  /** It holds more than its share, and something can go. One entry always stays. */
  get isCrowded(): boolean {
    const { bytes, entries } = this.share
    return (this.bytes > bytes || this.entries.size > entries) && this.policy.size > 1
  }
}

function isSame(a: Share, b: Share): boolean {
  return a.bytes === b.bytes && a.entries === b.entries && a.policy === b.policy && a.configVersion === b.configVersion
}
