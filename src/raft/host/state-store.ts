/**
 * One generation of a group's state in the key-value store: what to write, the header that goes with it, and the
 * digest that tells at the next load whether all of it is still there.
 */
import type { GroupId, LogIndex } from '../../base/ids.ts'
import type { Kv, KvOp, KvPair } from '../../io/kv/kv.ts'
import type { Membership } from '../core/types.ts'
import type { StateMachine } from '../machine.ts'
import type { Applier } from './applier.ts'
import { ColdRecords } from './cold.ts'
import { RecordDigest } from './digest.ts'
import {
  AREA_HEADER,
  AREA_MACHINE,
  AREA_REQUESTS,
  PREFIX_BYTES,
  type StateHeader,
  areaKey,
  decodeHeader,
  encodeHeader,
  headerKey,
  joinKey,
  prefixOf,
  warmRecords,
} from './keys.ts'
import { pageSize } from './page-size.ts'
import { RequestTable } from './requests.ts'

/** Records, and about how many bytes of them, that are read and given to the machine between two turns of the event loop. */
const LOAD_PAIRS = 1_000
const LOAD_BYTES = 1024 * 1024
/** Mean size of a record of locks, with its key. */
const RECORD_BYTES = 160

export class StateStore {
  readonly group: GroupId
  readonly generation: number
  readonly cold: ColdRecords
  readonly #prefix: Uint8Array
  readonly #digest: RecordDigest
  /** The last header handed to the store; the last one that it has taken. */
  drained: StateHeader
  written: StateHeader
  /** The index of the last snapshot record in the log: what a restart begins from. */
  synced: LogIndex

  constructor(kv: Kv, group: GroupId, generation: number, header: StateHeader, digest: RecordDigest) {
    this.cold = new ColdRecords(kv, group, generation, header.cold)
    this.group = group
    this.generation = generation
    this.#prefix = prefixOf(group, generation)
    this.#digest = digest
    this.drained = header
    this.written = header
    this.synced = header.index
  }

  /** A guess: records are small and alike. */
  get bytes(): number {
    return this.#digest.count * RECORD_BYTES
  }

  /** Every record that changed since the last drain, with the header that makes it a whole. Appended to `ops`. */
  drain(applier: Applier, membership: Membership, ops: KvOp[]): StateHeader {
    const write = (area: number) => (key: Uint8Array, value: Uint8Array | null) => {
      const rest = areaKey(NO_PREFIX, area, key)
      this.#digest.change(rest, value)
      ops.push({ key: joinKey(this.#prefix, rest), value })
    }
    applier.machine.drain(write(AREA_MACHINE), (key, value) => this.cold.change(key, value, ops))
    applier.requests.records.drain(write(AREA_REQUESTS))
    this.cold.seal()
    const { index, term, time, requests } = applier
    const { count, sum } = this.#digest
    this.drained = { index, term, time, ordinal: requests.ordinal, membership, count, sum, cold: this.cold.digest.now }
    ops.push({ key: headerKey(this.group, this.generation), value: encodeHeader(this.drained) })
    return this.drained
  }

  /** The batch of that drain is in the store. */
  landed(header: StateHeader): void {
    this.written = header
    this.cold.landed()
  }
}

const NO_PREFIX = new Uint8Array(0)

export interface LoadedState {
  readonly header: StateHeader
  readonly requests: RequestTable
  readonly digest: RecordDigest
}

/**
 * Reads a generation, but for its cold records, into `machine` (fresh or reset) and a new request table, giving the event loop its turns. A string
 * says what is wrong with it: then the machine is in no state to be used. Once it is not `wanted` any more the machine is not
 * touched: it may serve the next life of the replica.
 */
export async function loadState(
  kv: Kv,
  group: GroupId,
  generation: number,
  machine: StateMachine,
  wanted: () => boolean = () => true,
): Promise<LoadedState | string> {
  const iterator = kv.iterate(warmRecords(group, generation))
  const requests = new RequestTable()
  const digest = new RecordDigest()
  const found: { header: StateHeader | null } = { header: null }
  const take = ([key, value]: KvPair): void => {
    const area = key[PREFIX_BYTES]
    if (area === AREA_HEADER) {
      found.header = decodeHeader(value)
      return
    }
    digest.change(key.subarray(PREFIX_BYTES), value)
    if (area === AREA_MACHINE) machine.load(key.subarray(PREFIX_BYTES + 1), value)
    else requests.records.load(key.subarray(PREFIX_BYTES + 1), value)
  }
  try {
    const seen = { pairs: 0, bytes: 0 }
    for (let pairs = await iterator.next(1); pairs.length > 0; pairs = await iterator.next(pageSize(seen, LOAD_PAIRS, LOAD_BYTES))) {
      seen.pairs += pairs.length
      for (const [key, value] of pairs) seen.bytes += key.length + value.length
      if (!wanted()) return 'it is not wanted any more'
      const unreadable = takeAll(pairs, take)
      if (unreadable !== null) return `its records cannot be read: ${unreadable}`
    }
  } finally {
    await iterator.close()
  }
  if (!wanted()) return 'it is not wanted any more'
  const { header } = found
  if (header === null) return 'its header is missing'
  if (digest.count !== header.count || digest.sum !== header.sum) {
    return `its records do not add up: ${digest.count} of ${header.count}`
  }
  while (machine.prepare?.() === false) {
    // Whatever is read, the event loop has its turn.
    await kv.getMany([headerKey(group, generation)])
    if (!wanted()) return 'it is not wanted any more'
  }
  machine.loaded()
  requests.records.loaded()
  requests.ordinal = header.ordinal
  return { header, requests, digest }
}

/** Bytes that rotted: what no machine ever wrote it cannot read, and in which words it or its decoder says so is its own. */
function takeAll(pairs: readonly KvPair[], take: (pair: KvPair) => void): string | null {
  try {
    for (const pair of pairs) take(pair)
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
