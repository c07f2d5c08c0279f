/**
 * A frame: what a transport carries, one per peer and turn, with as many envelopes as came together.
 *
 *   u8 version | u8 kind | u32 crc of kind and the rest | u32 cluster | f64 from incarnation | f64 to incarnation
 *   | f64 number | u8 n, from node | then per envelope: u32 length, bytes        (little endian)
 *
 * `to incarnation` names the receiver's boot: a frame meant for a past life is dropped by it, so that no old vote
 * or acknowledgement can reach a process that has forgotten what it was about. `number` counts the frames of data and of
 * pieces from one life to another from 1 on, so that a copy is known for one; 0 in other kinds.
 */
import { crc32 } from '../io/crc32.ts'
import type { Incarnation, NodeId } from '../base/ids.ts'
import { allot } from '../base/slab.ts'

export const FRAME_VERSION = 2
export const KIND_DATA = 0
/** Announces a life: to everybody. */
export const KIND_HELLO = 1
/** Answers a hello: to the one that said it. */
export const KIND_HELLO_REPLY = 2
/** Carries a piece of an envelope that is larger than a frame (pieces.ts): its head, its bytes. */
export const KIND_PIECE = 3
export type FrameKind = typeof KIND_DATA | typeof KIND_HELLO | typeof KIND_HELLO_REPLY | typeof KIND_PIECE

/** Twice what any transport carries: bytes beyond it were not made by a node, and are not looked into. */
const FRAME_BYTES_CEILING = 8 * 1024 * 1024
/** A node, or a child of one (`n1:gw`). Names become parts of subjects, so a hello must not bring in another alphabet. */
const NODE_NAME = /^[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9_-]{1,64})?$/

const FIXED = 2 + 4 + 4 + 8 + 8 + 8 + 1
const NAME_LENGTH_AT = FIXED - 1
const CRC_AT = 2
const CRC_FROM = 6

export interface FrameHeader {
  readonly kind: FrameKind
  readonly cluster: number
  readonly from: NodeId
  readonly fromIncarnation: Incarnation
  readonly toIncarnation: Incarnation
  readonly number: number
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

/** Bytes of a frame before its first envelope. */
export function headerBytes(node: NodeId): number {
  return FIXED + encoder.encode(node).length
}

/** Bytes one envelope takes in a frame. */
export function envelopeBytes(envelope: Uint8Array): number {
  return 4 + envelope.length
}

export function encodeFrame(header: FrameHeader, envelopes: readonly Uint8Array[]): Uint8Array {
  const name = encoder.encode(header.from)
  let length = FIXED + name.length
  for (const envelope of envelopes) length += 4 + envelope.length
  const bytes = allot(length)
  const view = new DataView(bytes.buffer, bytes.byteOffset, length)
  bytes[0] = FRAME_VERSION
  bytes[1] = header.kind
  view.setUint32(6, header.cluster, true)
  view.setFloat64(10, header.fromIncarnation, true)
  view.setFloat64(18, header.toIncarnation, true)
  view.setFloat64(26, header.number, true)
  bytes[NAME_LENGTH_AT] = name.length
  bytes.set(name, FIXED)
  let at = FIXED + name.length
  for (const envelope of envelopes) {
    view.setUint32(at, envelope.length, true)
    bytes.set(envelope, at + 4)
    at += 4 + envelope.length
  }
  view.setUint32(CRC_AT, crc32(bytes.subarray(CRC_FROM), header.kind), true)
  return bytes
}

/** The header and views of the envelopes, or null where the frame is not whole. Never throws. */
export function decodeFrame(bytes: Uint8Array): { readonly header: FrameHeader; readonly envelopes: readonly Uint8Array[] } | null {
  if (bytes.length < FIXED || bytes.length > FRAME_BYTES_CEILING || bytes[0] !== FRAME_VERSION) return null
  const kind = bytes[1]
  if (kind !== KIND_DATA && kind !== KIND_HELLO && kind !== KIND_HELLO_REPLY && kind !== KIND_PIECE) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.getUint32(CRC_AT, true) !== crc32(bytes.subarray(CRC_FROM), kind)) return null
  let at = FIXED + (bytes[NAME_LENGTH_AT] ?? 0)
  if (at > bytes.length) return null
  const from = decodeName(bytes.subarray(FIXED, at))
  if (from === null) return null
  const envelopes: Uint8Array[] = []
  while (at < bytes.length) {
    if (at + 4 > bytes.length) return null
    const length = view.getUint32(at, true)
    if (at + 4 + length > bytes.length) return null
    envelopes.push(bytes.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  const header = {
    kind,
    cluster: view.getUint32(6, true),
    from,
    fromIncarnation: view.getFloat64(10, true),
    toIncarnation: view.getFloat64(18, true),
    number: view.getFloat64(26, true),
  } as const
  return { header, envelopes }
}

function decodeName(bytes: Uint8Array): string | null {
  try {
    const name = decoder.decode(bytes)
    return NODE_NAME.test(name) ? name : null
  } catch {
    return null
  }
}

/** FNV-1a of the cluster's name: enough to tell clusters on one bus apart. */
export function clusterNumber(name: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
