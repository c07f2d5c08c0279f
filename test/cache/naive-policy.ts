/**
 * LRU and S3-FIFO over plain lists of lines, the oldest first. Lists of steps are too short for a ghost to be forgotten: the
 * machine keeps the last 64 at least.
 */
import type { LineId } from '../../src/cache/coherence/protocol.ts'
import type { CacheConfig } from '../../src/cache/types.ts'

interface Item {
  readonly line: LineId
  freq: number
  isSmall: boolean
}

export class NaivePolicy {
  #type: CacheConfig['policy']
  /** In the order of use (LRU), or of their coming into their queues (S3-FIFO). */
  #items: Item[] = []
  #ghosts = new Set<LineId>()

  constructor(type: CacheConfig['policy']) {
    this.#type = type
  }

  /** Who was where in S3-FIFO is kept, ghosts are not. */
  become(type: CacheConfig['policy']): void {
    if (type !== this.#type) this.#ghosts.clear()
    this.#type = type
  }

  added(line: LineId): void {
    this.#items.push({ line, freq: 0, isSmall: this.#type === 's3fifo' && !this.#ghosts.has(line) })
  }

  wasUsed(line: LineId): void {
    const item = this.#items.find((each) => each.line === line) as Item
    if (this.#type === 's3fifo') item.freq = Math.min(3, item.freq + 1)
    else this.#toEnd(item)
  }

  removed(line: LineId, isEvicted: boolean): void {
    const item = this.#items.find((each) => each.line === line)
    if (isEvicted && item?.isSmall && this.#type === 's3fifo') this.#ghosts.add(line)
    this.#items = this.#items.filter((each) => each !== item)
  }

  victim(spared: LineId | null): LineId {
    const isFree = (item: Item) => item.line !== spared
    if (this.#type === 'lru') return (this.#items.find(isFree) as Item).line
    for (;;) {
      const small = this.#items.find((item) => item.isSmall && isFree(item))
      const main = this.#items.find((item) => !item.isSmall && isFree(item))
      const isSmallFull = this.#items.filter((item) => item.isSmall).length > this.#items.length / 10
      const item = (isSmallFull ? (small ?? main) : (main ?? small)) as Item
      if (item.freq < (item.isSmall ? 2 : 1)) return item.line
      item.freq = item.isSmall ? 0 : item.freq - 1
      item.isSmall = false
      this.#toEnd(item)
    }
  }

  #toEnd(item: Item): void {
    this.#items = [...this.#items.filter((each) => each !== item), item]
  }
}
