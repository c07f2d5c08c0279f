/**
 * Where the host keeps what in the key-value store of the node:
 *
 *   group u32 · generation u32 · 0                    header: what the records of this generation are the state of
 *   group u32 · generation u32 · 1 · key              request table
 *   group u32 · generation u32 · 2 · key              state machine
 *   group u32 · generation u32 · 3 · key              its cold records: last, so that a load ends before them
 *
 * A generation is one continuous history of a replica's state: a snapshot from a peer is staged into the next one.
 */
import type { GroupId, LogIndex, Millis, ReplicaId, Term } from '../../base/ids.ts'
import { ByteReader, ByteWriter } from '../bytes.ts'
import type { Membership } from '../core/types.ts'
import { type ColdSum, NO_COLD } from './cold-digest.ts'
import type { KvRange } from '../../io/kv/kv.ts'

export const PREFIX_BYTES = 8
export const AREA_HEADER = 0
export const AREA_REQUESTS = 1
export const AREA_MACHINE = 2
export const AREA_COLD = 3
const VERSION = 2
/** Without cold records. */
const VERSION_WARM = 1

/** Written in the same atomic batch as the records it speaks of. */
export interface StateHeader {
  readonly index: LogIndex
  readonly term: Term
  readonly time: Millis
  /** The counter of the request table. */
  readonly ordinal: number
  readonly membership: Membership
  /** Digest of the records of the request table and the machine. */
  readonly count: number
  readonly sum: number
  /** Of the cold records. */
  readonly cold: ColdSum
}

export function prefixOf(group: GroupId, generation: number): Uint8Array {
  const out = new ByteWriter(PREFIX_BYTES)
  out.u32(group)
  out.u32(generation)
  return out.take()
}

/** prefix + the rest of a key, which begins with its area. */
export function joinKey(prefix: Uint8Array, rest: Uint8Array): Uint8Array {
  const key = new Uint8Array(prefix.length + rest.length)
  key.set(prefix)
  key.set(rest, prefix.length)
  return key
}

export function areaKey(prefix: Uint8Array, area: number, key: Uint8Array): Uint8Array {
  const whole = new Uint8Array(prefix.length + 1 + key.length)
  whole.set(prefix)
  whole[prefix.length] = area
  whole.set(key, prefix.length + 1)
  return whole
}

export function headerKey(group: GroupId, generation: number): Uint8Array {
  return areaKey(prefixOf(group, generation), AREA_HEADER, new Uint8Array(0))
}

/** Every generation in [from, to). */
export function generations(group: GroupId, from: number, to: number): KvRange {
  return { gte: prefixOf(group, from), lt: prefixOf(group, to) }
}

/** What a load reads of one generation. */
export function warmRecords(group: GroupId, generation: number): KvRange {
  const prefix = prefixOf(group, generation)
  return { gte: prefix, lt: areaKey(prefix, AREA_COLD, new Uint8Array(0)) }
}

export function coldRecords(prefix: Uint8Array): KvRange {
  const none = new Uint8Array(0)
  return { gte: areaKey(prefix, AREA_COLD, none), lt: areaKey(prefix, AREA_COLD + 1, none) }
}

export function wholeGroup(group: GroupId): KvRange {
  return { gte: prefixOf(group, 0), lt: prefixOf(group + 1, 0) }
}

export function groupOfKey(key: Uint8Array): GroupId {
  return new ByteReader(key).u32()
}

export function encodeHeader(header: StateHeader): Uint8Array {
  const out = new ByteWriter(128)
  out.u8(VERSION)
  out.varint(header.index)
  out.varint(header.term)
  out.f64(header.time)
  out.varint(header.ordinal)
  out.varint(header.count)
  out.u32(header.sum)
  out.varint(header.cold.count)
  out.u32(header.cold.sum)
  out.bytes(encodeMembership(header.membership))
  return out.take()
}

/** Null where the bytes are no header. */
export function decodeHeader(bytes: Uint8Array): StateHeader | null {
  const input = new ByteReader(bytes)
  const version = input.u8()
  if (version !== VERSION && version !== VERSION_WARM) return null
  const head = {
    index: input.varint(),
    term: input.varint(),
    time: input.f64(),
    ordinal: input.varint(),
    count: input.varint(),
    sum: input.u32(),
    cold: version === VERSION_WARM ? NO_COLD : { count: input.varint(), sum: input.u32() },
  }
  const membership = decodeMembership(input.bytes())
  return input.ok && membership !== null ? { ...head, membership } : null
}

export function encodeMembership(membership: Membership): Uint8Array {
  const out = new ByteWriter(64)
  for (const list of [membership.voters, membership.outgoing, membership.learners, membership.learnersNext]) {
    out.varint(list.length)
    for (const replica of list) out.varint(replica)
  }
  return out.take()
}

export function decodeMembership(bytes: Uint8Array): Membership | null {
  const input = new ByteReader(bytes)
  const list = (): ReplicaId[] => {
    const replicas: ReplicaId[] = []
    for (let left = input.varint(); left > 0 && input.ok; left--) replicas.push(input.varint())
    return replicas
  }
  const membership = { voters: list(), outgoing: list(), learners: list(), learnersNext: list() }
  return input.ok ? membership : null
}
