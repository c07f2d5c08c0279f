/**
 * Memory for bodies: those that no drain has taken yet, and those that were stored a short while ago, for the deliveries that
 * follow at once. One per node, shared by its machines.
 *
 *   slab ── slab ── slab ── slab (being filled)        too many: the oldest goes
 *
 * A record is copied into a slab once, and is a view of it from then on: to the store, and into answers. A slab is never
 * written twice, so a view that was given away stays what it was. What may not go with its slab is held by its owner
 * (`bodies.ts`), so that an owner who is given up takes nothing of the cache with him.
 */
import { assert } from '../base/assert.ts'

const SLAB_BYTES = 1 << 20
const LENGTH_BYTES = 4

export interface Slab {
  readonly number: number
  readonly bytes: Uint8Array
  readonly view: DataView
  length: number
  /** Whose its records are, and which. */
  readonly owners: CacheOwner[]
  readonly seqs: number[]
}

export interface CacheOwner {
  /** The record is not in the cache any more, if it was at this slab. */
  evicted(seq: number, slab: number): void
}

export function slabOf(place: number): number {
  return Math.floor(place / SLAB_BYTES)
}

/** A view of the record. */
export function readSlab({ bytes, view }: Slab, place: number): Uint8Array {
  const at = place % SLAB_BYTES
  return bytes.subarray(at + LENGTH_BYTES, at + LENGTH_BYTES + view.getUint32(at))
}

/** How long the record is. */
export function lengthIn({ view }: Slab, place: number): number {
  return view.getUint32(place % SLAB_BYTES)
}

export class BodyCache {
  readonly #slabsMax: number
  readonly #slabs = new Map<number, Slab>()
  #newest: Slab | null = null
  #last = 0

  /** About so much is kept; 0: nothing that is stored. */
  constructor(bytesMax: number) {
    this.#slabsMax = Math.floor(bytesMax / SLAB_BYTES)
  }

  /** Whether what is stored can be found here as well. */
  get keeps(): boolean {
    return this.#slabsMax > 0
  }

  get bytes(): number {
    return this.#slabs.size * SLAB_BYTES
  }

  /** The slab of the record that was put last. */
  get newest(): Slab {
    return this.#newest as Slab
  }

  /** null: it was evicted. */
  find(slab: number): Slab | null {
    return this.#slabs.get(slab) ?? null
  }

  /** Puts a record of `head` and `body` in, together not longer than a slab. Returns its place: slab * 2^20 + offset. */
  put(owner: CacheOwner, seq: number, head: Uint8Array, body: Uint8Array): number {
    const length = head.length + body.length
    assert(length + LENGTH_BYTES <= SLAB_BYTES, 'a body is longer than a slab')
    let slab = this.#newest
    if (slab === null || slab.length + LENGTH_BYTES + length > SLAB_BYTES) slab = this.#begin()
    const at = slab.length
    slab.view.setUint32(at, length)
    slab.bytes.set(head, at + LENGTH_BYTES)
    slab.bytes.set(body, at + LENGTH_BYTES + head.length)
    slab.length += LENGTH_BYTES + length
    slab.owners.push(owner)
    slab.seqs.push(seq)
    return slab.number * SLAB_BYTES + at
  }

  #begin(): Slab {
    for (const [number, { owners, seqs }] of this.#slabs) {
      // The one that begins now is not counted: with room for none, it is the only one.
      if (this.#slabs.size < Math.max(1, this.#slabsMax)) break
      this.#slabs.delete(number)
      for (const [nth, seq] of seqs.entries()) (owners[nth] as CacheOwner).evicted(seq, number)
    }
    const bytes = new Uint8Array(SLAB_BYTES)
    const slab = { number: ++this.#last, bytes, view: new DataView(bytes.buffer), length: 0, owners: [], seqs: [] }
    this.#slabs.set(slab.number, slab)
    this.#newest = slab
    return slab
  }
}
