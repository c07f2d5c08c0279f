/**
 * What all entries of a partition weigh, and what they may: the bound over all its caches, as the log says it.
 *
 *   what can go, by cache: the one that holds most gives first      what nodes own is pinned: it takes room, and cannot go
 *
 * Weights follow from the entries alone, so replicas agree on them. They are those of memory: what a value of one byte costs
 * counts a thousand times before the value of a kilobyte does.
 *
 * Invariants: (1) the bytes are those of the entries      (2) what was put found room: beside it all but what is pinned could go
 */
import { LazyHeap } from '../../base/lazy-heap.ts'
import { type Refused, refuse } from '../../base/refusal.ts'
import { utf8Length } from '../../base/utf8.ts'
import type { Cache } from './cache.ts'
import { VERSION_MAX } from './codes.ts'
import type { LineVersion } from './commands.ts'
import type { Entry } from './entry.ts'
import { GROUP_BYTES, type TagIndex } from './tag-index.ts'

/**
 * Of an entry beside its texts and its value: objects, the value's buffer, places in maps, lists and heaps, a ghost. As measured by
 * `node --expose-gc dist/bench/cache-machine.js 100000`: 510 to 585, and 660 to 720 with S3-FIFO and all the ghosts there can be.
 */
export const ENTRY_BYTES = 640
/** Of each line that an entry carries. Measured: 50 to 70. */
export const CARRIED_BYTES = 64
/** No entry weighs more: a value of 1 MiB under a key of 512 bytes, with 48 long lines that nobody else carries. 1.1 MiB. */
export const HEAVIEST_BYTES = 1_153_434
/** Of what there may be: no line is given to a node where more than that would be pinned. */
const PINNED_PART_MAX = 0.5

/** Of what there may be, or of a cache's share: somebody is about to ask what is used. */
export const NEARLY_FULL = 0.75

/** Without a bound: so it is until somebody says something. */
export const ROOM_UNBOUNDED = VERSION_MAX

export interface NewWeight {
  readonly value: Uint8Array
  readonly contentType: string
  readonly tags: readonly LineVersion[]
}

class Fattest extends LazyHeap<Cache> {
  protected keyOf(cache: Cache): number {
    return -cache.looseBytes
  }
  protected placeOf(cache: Cache): number {
    return cache.place
  }
  protected setPlace(cache: Cache, place: number): void {
    cache.place = place
  }
}

export class Room {
  bytesMax: number = ROOM_UNBOUNDED
  readonly #tags: TagIndex
  readonly #caches = new Fattest()
  #entryBytes = 0
  #pinnedBytes = 0

  constructor(tags: TagIndex) {
    this.#tags = tags
  }

  get bytes(): number {
    return this.#entryBytes + this.#tags.bytes
  }

  /** Of what nodes own, each with its lines as if nobody else carried them. */
  get pinnedBytes(): number {
    return this.#pinnedBytes
  }

  /** There is too much, and something can go. */
  get isOver(): boolean {
    return this.bytes > this.bytesMax && this.fattest() !== null
  }

  get isNearlyFull(): boolean {
    return this.bytes >= this.bytesMax * NEARLY_FULL
  }

  /** The cache with most that can go; null: nothing can. */
  fattest(): Cache | null {
    const first = this.#caches.first()
    return first !== null && first.looseBytes > 0 ? first : null
  }

  enter(cache: Cache): void {
    this.#caches.add(cache)
  }

  leave(cache: Cache): void {
    this.#caches.remove(cache)
  }

  /** To be called once the entry is what it is. */
  added(entry: Entry): void {
    const { cache } = entry
    const weight = weightOf(entry)
    this.#entryBytes += weight
    cache.weight += weight
    if (entry.own !== 0) {
      this.#pinnedBytes += heaviestOf(entry)
      return
    }
    cache.looseBytes += weight
    this.#caches.moved(cache)
  }

  /** To be called before the entry changes or goes. */
  removed(entry: Entry): void {
    const { cache } = entry
    const weight = weightOf(entry)
    this.#entryBytes -= weight
    cache.weight -= weight
    if (entry.own !== 0) this.#pinnedBytes -= heaviestOf(entry)
    else cache.looseBytes -= weight
  }

  /** Why there is none for this under the key, whatever else goes; null: there is. `there`: what it takes the place of. */
  refusalOf(key: string, content: NewWeight, there: Entry | null): Refused | null {
    const free = this.bytesMax - this.#pinnedBytes
    if (free >= HEAVIEST_BYTES) return null
    const given = there !== null && there.own !== 0 ? heaviestOf(there) : 0
    const weight = weighed(utf8Length(key) + content.value.length, content.contentType, content.tags.length)
    const lines = content.tags.reduce((sum, [line]) => sum + GROUP_BYTES + line.length, 0)
    return weight + lines <= free + given ? null : this.#full()
  }

  /** Why what is there of a line, or comes, is not to be pinned. */
  pinRefusalOf(entry: Entry | null): Refused | null {
    const weight = entry === null ? 0 : heaviestOf(entry)
    return this.#pinnedBytes + weight <= this.bytesMax * PINNED_PART_MAX ? null : this.#full()
  }

  #full(): Refused {
    const hint = 'a smaller value; what nodes own is given back; or a larger caches.replica_bytes_max on every node'
    const { bytesMax, pinnedBytes } = this
    return refuse('QUOTA', `the entries of a partition have ${bytesMax} bytes of memory, of which ${pinnedBytes} cannot go`, { hint })
  }

  check(): void {
    this.#caches.check()
  }

  has(cache: Cache): boolean {
    return this.#caches.has(cache)
  }
}

/** What an entry takes, the lines that it carries aside. */
export function weightOf({ bytes, contentType, tags }: Entry): number {
  return weighed(bytes, contentType, tags.length)
}

function weighed(bytes: number, contentType: string, lines: number): number {
  return ENTRY_BYTES + bytes + contentType.length + lines * CARRIED_BYTES
}

/** Should nobody else carry its lines. */
export function heaviestOf(entry: Entry): number {
  let weight = weightOf(entry)
  for (const { line } of entry.tags) weight += GROUP_BYTES + line.length
  return weight
}
