/**
 * An additive digest over all records of a replica's state: it can be kept up to date with each changed record, and
 * computed again from the store in any order. So a store that lost or mixed up records is found out at the load.
 *
 *   sum = Σ hash(key, value) mod 2^32     over the records, with their count
 *
 * To take a changed record's old hash out of the sum, the hash of each record is kept here by the 64-bit hash of its
 * key: 12 bytes a record in open-addressed tables. 256 of them, so that growing one never stalls the event loop; and each
 * grows at a load of its own, or all would grow at once, being equally full.
 */
import { assert } from '../../base/assert.ts'

const SHARDS = 256
const SLOTS_MIN = 16

/** MurmurHash3's 32-bit body over a byte string; `seed` starts an independent one. */
export function hash32(bytes: Uint8Array, seed: number): number {
  const blocks = bytes.length & ~3
  let hash = seed | 0
  for (let i = 0; i < blocks; i += 4) {
    const block = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    hash = mixIn(hash, block)
  }
  let tail = 0
  for (let i = bytes.length - 1; i >= blocks; i--) tail = (tail << 8) | bytes[i]!
  return finish(mixIn(hash, tail) ^ bytes.length)
}

function mixIn(hash: number, block: number): number {
  let k = Math.imul(block, 0xcc9e2d51)
  k = (k << 15) | (k >>> 17)
  const mixed = hash ^ Math.imul(k, 0x1b873593)
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0
}

function finish(hash: number): number {
  let h = hash ^ (hash >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** Of a table of 256 slots: how many may be taken. */
const LOAD_MIN = 128
const LOAD_SPREAD = 64

/** One open-addressed table: linear probing, deletion by shifting back. The low word 0 marks a free slot. */
class Shard {
  #low = new Uint32Array(SLOTS_MIN)
  #high = new Uint32Array(SLOTS_MIN)
  #hash = new Uint32Array(SLOTS_MIN)
  #count = 0
  /** In 256ths. */
  readonly #loadMax: number

  constructor(number: number) {
    this.#loadMax = LOAD_MIN + Math.floor((number * LOAD_SPREAD) / SHARDS)
  }

  /** Puts or (hash null) takes out; gives the hash that was there, or null. */
  swap(low: number, high: number, hash: number | null): number | null {
    const mask = this.#low.length - 1
    let slot = high & mask
    while (this.#low[slot] !== 0 && (this.#low[slot] !== low || this.#high[slot] !== high)) slot = (slot + 1) & mask
    const before = this.#low[slot] === 0 ? null : this.#hash[slot]!
    if (hash === null) {
      if (before !== null) this.#remove(slot)
      return before
    }
    this.#low[slot] = low
    this.#high[slot] = high
    this.#hash[slot] = hash
    if (before === null && ++this.#count * 256 > this.#low.length * this.#loadMax) this.#grow()
    return before
  }

  #remove(at: number): void {
    const mask = this.#low.length - 1
    let hole = at
    for (let slot = (hole + 1) & mask; this.#low[slot] !== 0; slot = (slot + 1) & mask) {
      const home = this.#high[slot]! & mask
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue
      this.#low[hole] = this.#low[slot]!
      this.#high[hole] = this.#high[slot]!
      this.#hash[hole] = this.#hash[slot]!
      hole = slot
    }
    this.#low[hole] = 0
    this.#count--
  }

  #grow(): void {
    const [low, high, hash] = [this.#low, this.#high, this.#hash]
    this.#low = new Uint32Array(low.length * 2)
    this.#high = new Uint32Array(low.length * 2)
    this.#hash = new Uint32Array(low.length * 2)
    this.#count = 0
    for (let i = 0; i < low.length; i++) if (low[i] !== 0) this.swap(low[i]!, high[i]!, hash[i]!)
  }
}

export class RecordDigest {
  readonly #shards = Array.from({ length: SHARDS }, () => null as Shard | null)
  #count = 0
  #sum = 0

  get count(): number {
    return this.#count
  }

  get sum(): number {
    return this.#sum
  }

  /** The record of `key` is now `value`; null: there is none. */
  change(key: Uint8Array, value: Uint8Array | null): void {
    const low = hash32(key, 0x9747b28c) || 1
    const high = hash32(key, 0x3c6ef372)
    const hash = value === null ? null : hash32(value, low ^ high)
    const shard = (this.#shards[low % SHARDS] ??= new Shard(low % SHARDS))
    const before = shard.swap(low, high, hash)
    this.#count += (hash === null ? 0 : 1) - (before === null ? 0 : 1)
    this.#sum = (this.#sum + (hash ?? 0) - (before ?? 0)) >>> 0
    assert(this.#count >= 0, 'a digest of fewer than no records')
  }
}
