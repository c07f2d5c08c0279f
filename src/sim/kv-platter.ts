/**
 * The simulated key-value store's disk: a base that is durable, and the batches since, of which a power cut leaves a
 * prefix, never less than the last synced one. Batches land in the order of their calls.
 */
import { compareBytes } from '../io/kv/bytes.ts'
import type { KvOp, KvPair, KvRange } from '../io/kv/kv.ts'
import type { Dice } from './dice.ts'

/** Beyond so many unsynced batches the engine writes older ones back by itself. */
const UNSYNCED_MAX = 64

const nameOf = (key: Uint8Array): string => Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')

type Records = Map<string, KvPair>

function apply(records: Records, ops: readonly KvOp[]): void {
  for (const { key, value } of ops) {
    if (value === null) records.delete(nameOf(key))
    else records.set(nameOf(key), [key, value])
  }
}

/** Hears of each batch, with all the records as they are now, in no order. */
export type LandedListener = (ops: readonly KvOp[], records: () => Iterable<KvPair>) => void

export class KvPlatter {
  readonly #durable: Records = new Map()
  #current: Records = new Map()
  #unsynced: (readonly KvOp[])[] = []
  /** Called and not completed, oldest first: a power cut may still leave them. */
  readonly inFlight: (readonly KvOp[])[] = []
  #sorted: readonly KvPair[] | null = null
  open = false
  /** What the engine would notice by itself, and when. */
  damage: 'opening' | 'reading' | 'writing' | null = null
  readonly #onLanded: LandedListener

  constructor(onLanded: LandedListener) {
    this.#onLanded = onLanded
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#current.get(nameOf(key))?.[1]
  }

  land(ops: readonly KvOp[], sync: boolean): void {
    apply(this.#current, ops)
    this.#sorted = null
    this.#onLanded(ops, () => this.#current.values())
    this.#unsynced.push(ops)
    if (sync) this.#writeBack(this.#unsynced.length)
    else if (this.#unsynced.length > UNSYNCED_MAX) this.#writeBack(UNSYNCED_MAX / 2)
  }

  #writeBack(count: number): void {
    for (const ops of this.#unsynced.splice(0, count)) apply(this.#durable, ops)
  }

  crash(dice: Dice): void {
    this.#unsynced.push(...this.inFlight.splice(0))
    this.#writeBack(dice.below(this.#unsynced.length + 1))
    this.#unsynced = []
    this.#current = new Map(this.#durable)
    this.#sorted = null
    this.open = false
  }

  /** Flips one bit of one value whose key is fit for it. */
  rot(dice: Dice, fit: (key: Uint8Array) => boolean): boolean {
    const pairs = [...this.#durable.values()].filter(([key, value]) => value.length > 0 && fit(key))
    if (pairs.length === 0) return false
    const [key, value] = dice.pick(pairs)
    const rotten = value.slice()
    rotten[dice.below(rotten.length)]! ^= 1 << dice.below(8)
    this.#durable.set(nameOf(key), [key, rotten])
    this.#current.set(nameOf(key), [key, rotten])
    this.#sorted = null
    return true
  }

  /** The pairs of the range as they are now. */
  range({ gte, lt }: KvRange): readonly KvPair[] {
    this.#sorted ??= [...this.#current.values()].sort((a, b) => compareBytes(a[0], b[0]))
    return this.#sorted.filter(([key]) => (!gte || compareBytes(key, gte) >= 0) && (!lt || compareBytes(key, lt) < 0))
  }
}
