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
import { ByteReader, ByteWriter } from '../raft/bytes.ts'
import type { WriteRecord } from '../raft/machine.ts'
import type { BodyCache, CachedBodies } from './body-cache.ts'
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

export class Bodies {
  readonly #cold: ColdChanges
  readonly #cache: BodyCache
  readonly #queue: number
  readonly #fresh = new Map<number, StoredBody>()
  readonly #cached: CachedBodies = new Map()
  #gone: number[] = []

  constructor(cold: ColdChanges, cache: BodyCache, queue: number) {
    this.#cold = cold
    this.#cache = cache
    this.#queue = queue
  }

  put(seq: number, stored: StoredBody): void {
    this.#fresh.set(seq, stored)
    this.#cold.queues.add(this)
    this.#cold.size += 1
    this.#cold.bytes += stored.body.length
  }

  /** The message is gone. */
  forget(seq: number): void {
    const fresh = this.#fresh.get(seq)
    if (fresh !== undefined) {
      this.#fresh.delete(seq)
      this.#cold.size -= 1
      this.#cold.bytes -= fresh.body.length
      return
    }
    this.#cached.delete(seq)
    this.delete(seq)
  }

  /** A stored body goes with the next drain. */
  delete(seq: number): void {
    this.#gone.push(seq)
    this.#cold.queues.add(this)
    this.#cold.size += 1
  }

  /** Forgets what is in memory, and tells which bodies were never stored. What is stored is left to who asks. */
  clear(): number[] {
    const fresh = [...this.#fresh.keys()]
    for (const { body } of this.#fresh.values()) this.#cold.bytes -= body.length
    this.#cold.size -= fresh.length
    this.#fresh.clear()
    this.#cached.clear()
    return fresh
  }

  /** null: it is not in memory. */
  find(seq: number): StoredBody | null {
    const fresh = this.#fresh.get(seq)
    if (fresh !== undefined) return fresh
    const cached = this.#cache.get(this.#cached, seq)
    return cached === null ? null : decodeStored(cached)
  }

  keyOf(seq: number): Uint8Array {
    return pairKey(BODY, this.#queue, seq)
  }

  /** A record that was read, for who asks next. */
  cache(seq: number, record: Uint8Array): void {
    if (!this.#cached.has(seq)) this.#cache.put(this.#cached, seq, record)
  }

  drain(write: WriteRecord): void {
    for (const seq of this.#gone) write(this.keyOf(seq), null)
    this.#gone = []
    for (const [seq, stored] of this.#fresh) {
      const record = encodeStored(stored)
      write(this.keyOf(seq), record)
      this.#cache.put(this.#cached, seq, record)
    }
    this.#fresh.clear()
  }
}

export function drainCold(cold: ColdChanges, write: WriteRecord): void {
  for (const bodies of cold.queues) bodies.drain(write)
  cold.queues.clear()
  cold.size = cold.bytes = 0
}

const out = new ByteWriter(1024)

function encodeStored({ enqueuedAt, group, priority, body }: StoredBody): Uint8Array {
  out.varint(enqueuedAt)
  out.text(group)
  out.u8(priority)
  out.raw(body)
  return out.take()
}

/** The body is a view of the record. */
export function decodeStored(record: Uint8Array): StoredBody {
  const input = new ByteReader(record)
  const enqueuedAt = input.varint()
  const group = input.text()
  const priority = input.u8()
  return { enqueuedAt, group, priority, body: input.raw(input.left) }
}
