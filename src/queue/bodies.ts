/**
 * The bodies of a queue. In memory they are only until the next drain; then they are cold records, and for a while in the
 * cache, where the deliveries that follow at once find them.
 *
 *   enqueued ──▶ fresh ──drain──▶ stored, cached ──gone──▶ deleted by the next drain
 *                  └────gone────▶ no trace
 *
 * A cold record: enqueuedAt, group, priority, body to the end.
 */
import type { Millis } from '../base/ids.ts'
import { ByteWriter } from '../raft/bytes.ts'
import type { WriteRecord } from '../raft/machine.ts'
import { type BodyCache, type CacheOwner, type Slab, lengthIn, readSlab, slabOf } from './body-cache.ts'
import { BODY } from './kinds.ts'
import { pairKey } from './keys.ts'

/** What is stored of a message besides the state: it never changes. */
export interface StoredBody {
  readonly enqueuedAt: Millis
  readonly group: string
  readonly priority: number
  readonly body: Uint8Array
}

/** What the next drain of the machine has to do about bodies. */
export class ColdChanges {
  readonly queues = new Set<Bodies>()
  /** Records to write or to delete. */
  size = 0
  /** Of the fresh ones. */
  bytes = 0
}

export class Bodies implements CacheOwner {
  readonly #cold: ColdChanges
  readonly #cache: BodyCache
  readonly #queue: number
  /** Those that no drain has taken yet: where they are, in slabs that are held for them. */
  readonly #fresh = new Map<number, number>()
  readonly #held = new Map<number, Slab>()
  /** Those that are stored, and in the cache as well. */
  readonly #cached = new Map<number, number>()
  #gone: number[] = []

  constructor(cold: ColdChanges, cache: BodyCache, queue: number) {
    this.#cold = cold
    this.#cache = cache
    this.#queue = queue
  }

  /** The body is copied. */
  put(seq: number, enqueuedAt: Millis, group: string, priority: number, body: Uint8Array): void {
    const place = this.#cache.put(this, seq, headOf(enqueuedAt, group, priority), body)
    const slab = this.#cache.newest
    this.#fresh.set(seq, place)
    this.#held.set(slab.number, slab)
    this.#cold.queues.add(this)
    this.#cold.size += 1
    this.#cold.bytes += lengthIn(slab, place)
  }

  /** The message is gone. */
  forget(seq: number): void {
    if (this.#fresh.has(seq)) this.#dropFresh(seq)
    else {
      this.#cached.delete(seq)
      this.#gone.push(seq)
      this.#cold.queues.add(this)
      this.#cold.size += 1
    }
  }

  /** Forgets what is in memory. */
  clear(): void {
    for (const seq of this.#fresh.keys()) this.#dropFresh(seq)
    this.#held.clear()
    this.#cached.clear()
  }

  /** null: it is not in memory. */
  find(seq: number): StoredBody | null {
    const fresh = this.#fresh.get(seq)
    if (fresh !== undefined) return decodeStored(this.#readHeld(fresh))
    const cached = this.#cached.get(seq)
    return cached === undefined ? null : decodeStored(readSlab(this.#cache.find(slabOf(cached)) as Slab, cached))
  }

  /** Whether it makes sense to read bodies before they are wanted. */
  get keepsStored(): boolean {
    return this.#cache.keeps
  }

  has(seq: number): boolean {
    return this.#fresh.has(seq) || this.#cached.has(seq)
  }

  keyOf(seq: number): Uint8Array {
    return pairKey(BODY, this.#queue, seq)
  }

  /** A record that was read, for who asks next. */
  cache(seq: number, record: Uint8Array): void {
    if (this.keepsStored && !this.has(seq)) this.#cached.set(seq, this.#cache.put(this, seq, record, NOTHING))
  }

  evicted(seq: number, slab: number): void {
    const place = this.#cached.get(seq)
    if (place !== undefined && slabOf(place) === slab) this.#cached.delete(seq)
  }

  drain(write: WriteRecord): void {
    for (const seq of this.#gone) write(this.keyOf(seq), null)
    this.#gone = []
    for (const [seq, place] of this.#fresh) {
      write(this.keyOf(seq), this.#readHeld(place))
      if (this.keepsStored && this.#cache.find(slabOf(place)) !== null) this.#cached.set(seq, place)
    }
    this.#fresh.clear()
    this.#held.clear()
  }

  #readHeld(place: number): Uint8Array {
    return readSlab(this.#held.get(slabOf(place)) as Slab, place)
  }

  #dropFresh(seq: number): void {
    const place = this.#fresh.get(seq) as number
    this.#fresh.delete(seq)
    this.#cold.size -= 1
    this.#cold.bytes -= lengthIn(this.#held.get(slabOf(place)) as Slab, place)
  }
}

export function drainCold(cold: ColdChanges, write: WriteRecord): void {
  for (const bodies of cold.queues) bodies.drain(write)
  cold.queues.clear()
  cold.size = cold.bytes = 0
}

const out = new ByteWriter(256)
const NOTHING = new Uint8Array(0)
/** The head of the last record, which most often is that of the next one too. */
let last: { enqueuedAt: Millis; group: string; priority: number; head: Uint8Array } = {
  enqueuedAt: -1,
  group: '',
  priority: 0,
  head: NOTHING,
}

function headOf(enqueuedAt: Millis, group: string, priority: number): Uint8Array {
  if (last.enqueuedAt === enqueuedAt && last.group === group && last.priority === priority) return last.head
  out.varint(enqueuedAt)
  out.text(group)
  out.u8(priority)
  last = { enqueuedAt, group, priority, head: out.take() }
  return last.head
}

/** A group may begin with U+FEFF, which a decoder else swallows. */
const FROM_TEXT = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * Of a record: its body is a view, and the group is read when it is asked for. By hand, for this is done for every message
 * that is delivered.
 */
export function decodeStored(record: Uint8Array): StoredBody {
  let at = 0
  const varint = (): number => {
    let value = 0
    let scale = 1
    for (;;) {
      const byte = record[at++] as number
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
      scale *= 0x80
    }
  }
  const enqueuedAt = varint()
  const length = varint()
  const from = at
  const priorityAt = from + length
  return {
    enqueuedAt,
    priority: record[priorityAt] as number,
    body: record.subarray(priorityAt + 1),
    get group() {
      return FROM_TEXT.decode(record.subarray(from, priorityAt))
    },
  }
}
