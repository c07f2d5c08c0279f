/**
 * How a replica knows that its cold records are complete, without reading them.
 *
 * The digest of the other records (digest.ts) holds the hash of each in memory, to take it out when the record changes.
 * Cold records are too many for that, so theirs is made of what a deletion knows too, the key:
 *
 *   sum = Σ hash(key) mod 2^32     over the records, with their count; kept in the header
 *
 * That is exact because a cold record is written only while there is none of its key and deleted only while there is one
 * (machine.ts), in the batch of the header. What it leaves out, the value, is covered by a checksum in each record, over
 * key and value. Together they tell of every record that is lost, rotten or in a wrong place. The checksums are checked at
 * every read; the sum wherever all records pass by: where a snapshot is read, and where it is stored. So a record that a
 * store has lost is never lost once more by copying the rest. A load does not read them: it goes on from the header's sum.
 */
import { assert } from '../../base/assert.ts'
import { crc32 } from '../../io/crc32.ts'
import { hash32 } from './digest.ts'

const SEED = 0x2545f491
export const CHECKSUM_BYTES = 4

export interface ColdSum {
  readonly count: number
  readonly sum: number
}

export const NO_COLD: ColdSum = { count: 0, sum: 0 }

export class ColdDigest {
  #count: number
  #sum: number

  constructor({ count, sum }: ColdSum = NO_COLD) {
    this.#count = count
    this.#sum = sum
  }

  get now(): ColdSum {
    return { count: this.#count, sum: this.#sum }
  }

  equals({ count, sum }: ColdSum): boolean {
    return this.#count === count && this.#sum === sum
  }

  /** Of a record's key, `coldHash`. */
  add(hash: number): void {
    this.#count++
    this.#sum = (this.#sum + hash) >>> 0
  }

  /** Adds a record as it is in the store. False: it is not what was written. */
  take(key: Uint8Array, record: Uint8Array): boolean {
    const hash = coldHash(key)
    this.add(hash)
    return openCold(hash, record) !== null
  }

  remove(hash: number): void {
    assert(this.#count > 0, 'a cold record is deleted, and there is none')
    this.#count--
    this.#sum = (this.#sum - hash) >>> 0
  }
}

/** What the record of a key is known by. */
export function coldHash(key: Uint8Array): number {
  return hash32(key, SEED)
}

/** The record: checksum u32 · value. The key's hash is what the checksum begins with. */
export function sealCold(hash: number, value: Uint8Array): Uint8Array {
  const record = Buffer.allocUnsafe(CHECKSUM_BYTES + value.length)
  record.writeUInt32BE(crc32(value, hash))
  record.set(value, CHECKSUM_BYTES)
  return record
}

/** The value of a record; null where it is not what was written. */
export function openCold(hash: number, record: Uint8Array): Uint8Array | null {
  if (record.length < CHECKSUM_BYTES) return null
  const value = record.subarray(CHECKSUM_BYTES)
  const sum = ((record[0]! << 24) | (record[1]! << 16) | (record[2]! << 8) | record[3]!) >>> 0
  return crc32(value, hash) === sum ? value : null
}
