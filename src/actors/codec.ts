/**
 * Envelopes as bytes: one version byte, then a MessagePack tuple with fixed positions (no field names on the wire,
 * no shared record structures: a decoder that missed their definition would read wrong names silently).
 *
 *   0x01 [receiver_id, sender_id, msg_id, msg_type, timestamp, in_reply_to, timeout_ms, traceparent, payload]
 *
 * `undefined` is absent, as in JSON: a member that is so is none, and in a list it is null. Decoding never throws: bytes of
 * another version, malformed bytes and extension types (RegExp, Error, Date, bigint, which MessagePack decoders make out of
 * untrusted bytes) come back as null, and the caller counts them.
 */
import { Packr } from 'msgpackr'
import { allot } from '../base/slab.ts'
import type { Envelope, Plain } from './envelope.ts'

export const CODEC_VERSION = 1
const DEPTH_MAX = 64

/** What a number can be is one, the rest is a bigint. Documented, but the types do not know it. */
const INT64_TYPE = 'auto' as 'bigint'
const packr = new Packr({ useRecords: false, mapsAsObjects: true, int64AsType: INT64_TYPE })

/** A payload or any other plain value as bytes of its own (not a view of the packer's pool). */
export function packPlain(value: Plain): Uint8Array {
  return Uint8Array.prototype.slice.call(packr.pack(value))
}

/** The plain value, or undefined where the bytes are malformed or carry what is not plain. */
export function unpackPlain(bytes: Uint8Array): Plain | undefined {
  const value = unpackAny(bytes)
  return isPlain(value, 0) ? value : undefined
}

/** Whatever MessagePack makes of the bytes, plain or not (`isPlain`); undefined where they are malformed. */
export function unpackAny(bytes: Uint8Array): unknown {
  try {
    return packr.unpack(bytes) as unknown
  } catch {
    return undefined
  }
}

export function encodeEnvelope(envelope: Envelope): Uint8Array {
  const e = envelope
  const tuple = [e.receiverId, e.senderId, e.msgId, e.msgType, e.timestamp, e.inReplyTo, e.timeoutMs, e.traceparent, e.payload]
  const packed = packr.pack(tuple)
  const bytes = allot(packed.length + 1)
  bytes[0] = CODEC_VERSION
  bytes.set(packed, 1)
  return bytes
}

export function decodeEnvelope(bytes: Uint8Array): Envelope | null {
  if (bytes[0] !== CODEC_VERSION) return null
  const tuple = unpackPlain(bytes.subarray(1))
  if (!Array.isArray(tuple) || tuple.length !== 9) return null
  const [receiverId, senderId, msgId, msgType, timestamp, inReplyTo, timeoutMs, traceparent, payload] = tuple as readonly Plain[]
  if (typeof receiverId !== 'string' || typeof senderId !== 'string' || typeof msgType !== 'string' || typeof traceparent !== 'string')
    return null
  if (typeof msgId !== 'number' || typeof timestamp !== 'number' || typeof inReplyTo !== 'number' || typeof timeoutMs !== 'number')
    return null
  return { receiverId, senderId, msgId, msgType, timestamp, inReplyTo, timeoutMs, traceparent, payload: payload ?? null }
}

/** Strings, numbers, booleans, null, bytes, arrays and plain objects of these; nothing deeper than DEPTH_MAX. Takes out what is undefined. */
export function isPlain(value: unknown, depth: number): value is Plain {
  if (typeof value !== 'object') return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
  if (value === null || value instanceof Uint8Array) return true
  if (depth === DEPTH_MAX) return false
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) {
      if (value[at] === undefined) value[at] = null
      else if (!isPlain(value[at], depth + 1)) return false
    }
    return true
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) return false
  const members = value as Record<string, unknown>
  for (const key in members) {
    if (members[key] === undefined) delete members[key]
    else if (!isPlain(members[key], depth + 1)) return false
  }
  return true
}
