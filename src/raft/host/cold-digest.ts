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

  add(key: Uint8Array): void {
    this.#count++
    this.#sum = (this.#sum + hash32(key, SEED)) >>> 0
  }

  remove(key: Uint8Array): void {
    assert(this.#count > 0, 'a cold record is deleted, and there is none')
    this.#count--
    this.#sum = (this.#sum - hash32(key, SEED)) >>> 0
  }
}

/** The record: checksum u32 · value. */
export function sealCold(key: Uint8Array, value: Uint8Array): Uint8Array {
  const record = new Uint8Array(CHECKSUM_BYTES + value.length)
  record.set(value, CHECKSUM_BYTES)
  new DataView(record.buffer).setUint32(0, crc32(value, crc32(key)))
  return record
}

/** The value of a record; null where it is not what was written. */
export function openCold(key: Uint8Array, record: Uint8Array): Uint8Array | null {
  if (record.length < CHECKSUM_BYTES) return null
  const value = record.subarray(CHECKSUM_BYTES)
  const sum = new DataView(record.buffer, record.byteOffset).getUint32(0)
  return crc32(value, crc32(key)) === sum ? value : null
}
