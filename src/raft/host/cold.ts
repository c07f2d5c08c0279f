/**
 * The cold records of one generation: written with the other records, read one by one.
 *
 *   machine ──drain──> open layer ──seal──> layer, layer, … ──landed──> the key-value store
 *                                             └── newest first ──┬─────────┘
 *                                                               get
 *
 * A layer is what one drain brought; it stays in memory until its batch is written, in the order of the drains. So a
 * record is found in a layer or in the store, whenever it is asked for.
 */
import { AssertionError, assert } from '../../base/assert.ts'
import type { GroupId } from '../../base/ids.ts'
import { KvDamagedError } from '../../io/kv/damage.ts'
import type { Kv, KvOp, KvRange } from '../../io/kv/kv.ts'
import type { ColdReads } from '../machine.ts'
import { CHECKSUM_BYTES, ColdDigest, type ColdSum, coldHash, openCold, sealCold } from './cold-digest.ts'
import { AREA_COLD, PREFIX_BYTES, areaKey, coldRecords, prefixOf } from './keys.ts'

/** A guess, until one was written. */
const RECORD_BYTES = 1_024
const KEY_START = PREFIX_BYTES + 1

const nameOf = (key: Uint8Array, start = 0): string =>
  Buffer.from(key.buffer, key.byteOffset + start, key.length - start).toString('latin1')

interface Layer {
  readonly ops: KvOp[]
  bytes: number
  deleted: number
  /** Made when it is first looked into: most layers are written before that. */
  names: Map<string, Uint8Array | null> | null
}

const newLayer = (): Layer => ({ ops: [], bytes: 0, deleted: 0, names: null })

type Values = readonly (Uint8Array | undefined)[]

/** Nothing can be read now; that says nothing about the records. */
export class ColdUnreadable extends Error {
  override readonly name = 'ColdUnreadable'
}

export class ColdRecords implements ColdReads {
  readonly digest: ColdDigest
  readonly #kv: Kv
  readonly #prefix: Uint8Array
  /** Sealed, oldest first. */
  readonly #layers: Layer[] = []
  #open = newLayer()
  #bytes = 0
  /** Written and read in this life, to know about how large one is. */
  #seen = { records: 0, bytes: 0 }
  #deletedBytes = 0
  #ended = false

  constructor(kv: Kv, group: GroupId, generation: number, sum: ColdSum) {
    this.#kv = kv
    this.#prefix = prefixOf(group, generation)
    this.digest = new ColdDigest(sum)
  }

  /** Held here until the store has it. */
  get bytes(): number {
    return this.#bytes
  }

  /** About how many bytes were deleted in the store and not `compacted`, and how many are there. */
  get deletedBytes(): number {
    return this.#deletedBytes
  }

  get liveBytes(): number {
    return this.digest.now.count * this.#meanBytes
  }

  get #meanBytes(): number {
    const { records, bytes } = this.#seen
    return records === 0 ? RECORD_BYTES : bytes / records
  }

  /** So much of what was deleted takes no more room. */
  compacted(bytes: number): void {
    this.#deletedBytes -= bytes
  }

  get range(): KvRange {
    return coldRecords(this.#prefix)
  }

  /** A change that the machine drains, appended to `ops`. */
  change(key: Uint8Array, value: Uint8Array | null, ops: KvOp[]): void {
    const hash = coldHash(key)
    if (value === null) this.digest.remove(hash)
    else this.digest.add(hash)
    const op = { key: areaKey(this.#prefix, AREA_COLD, key), value: value === null ? null : sealCold(hash, value) }
    ops.push(op)
    this.#open.ops.push(op)
    const size = op.key.length + (op.value?.length ?? 0)
    this.#open.bytes += size
    if (value === null) {
      this.#open.deleted++
    } else {
      this.#saw(size)
    }
  }

  /** The drain is over: what it brought goes into one batch. */
  seal(): void {
    this.#layers.push(this.#open)
    this.#bytes += this.#open.bytes
    this.#open = newLayer()
  }

  /** The batch of the oldest drain is in the store. */
  landed(): void {
    const layer = this.#layers.shift()
    assert(layer !== undefined, 'a batch landed that was never drained')
    this.#bytes -= layer.bytes
    this.#deletedBytes += layer.deleted * this.#meanBytes
  }

  #saw(bytes: number): void {
    this.#seen.records++
    this.#seen.bytes += bytes
  }

  /** This generation is not the state any more. */
  end(): void {
    this.#ended = true
  }

  get(keys: readonly Uint8Array[]): Values | Promise<Values> {
    this.#assertLive()
    const values: (Uint8Array | undefined)[] = Array.from({ length: keys.length })
    const absent: number[] = []
    for (let i = 0; i < keys.length; i++) {
      const found = this.#underway(keys[i]!)
      if (found === undefined) absent.push(i)
      else values[i] = found ?? undefined
    }
    return absent.length === 0 ? values : this.#read(keys, values, absent)
  }

  /** Null: being deleted; undefined: no layer speaks of it. */
  #underway(key: Uint8Array): Uint8Array | null | undefined {
    if (this.#layers.length === 0) return undefined
    const name = nameOf(key)
    for (let i = this.#layers.length - 1; i >= 0; i--) {
      const found = namesOf(this.#layers[i]!).get(name)
      if (found !== undefined) return found === null ? null : found.subarray(CHECKSUM_BYTES)
    }
    return undefined
  }

  async #read(keys: readonly Uint8Array[], values: (Uint8Array | undefined)[], absent: readonly number[]): Promise<Values> {
    const records = await this.#fetch(absent.map((i) => areaKey(this.#prefix, AREA_COLD, keys[i]!)))
    this.#assertLive()
    for (const [at, i] of absent.entries()) {
      const record = records[at]
      if (record === undefined) continue
      this.#saw(record.length)
      const value = openCold(coldHash(keys[i]!), record)
      assert(value !== null, 'a cold record is not what was written')
      values[i] = value
    }
    return values
  }

  async #fetch(keys: readonly Uint8Array[]): Promise<Values> {
    try {
      return await this.#kv.getMany(keys)
    } catch (error) {
      if (error instanceof KvDamagedError) throw new AssertionError(`a cold record is unreadable: ${error.message}`)
      throw new ColdUnreadable(`the key-value store: ${String(error)}`, { cause: error })
    }
  }

  #assertLive(): void {
    if (this.#ended) throw new ColdUnreadable('the state that this was to be read from has been replaced')
  }
}

function namesOf(layer: Layer): Map<string, Uint8Array | null> {
  layer.names ??= new Map(layer.ops.map(({ key, value }) => [nameOf(key, KEY_START), value]))
  return layer.names
}
