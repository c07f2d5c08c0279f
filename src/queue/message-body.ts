/**
 * The body of a message: what the gateway puts in, what the machine keeps without looking, what the gateway reads back.
 *
 *   flags (u8: version, encoding, what follows)   wall clock (varint)   [headers, length first]   [traceparent, length first]   data, to the end
 *
 * A message without headers and trace costs seven bytes more than its data. Reading is total.
 */
import { ByteReader, ByteWriter } from '../raft/bytes.ts'
import type { Millis } from '../base/ids.ts'
import { QUEUE_LIMITS } from './types.ts'

const VERSION = 0x10
const VERSION_MASK = 0xf0
const BASE64 = 1
const HEADERS = 2
const TRACEPARENT = 4
const KNOWN = VERSION | BASE64 | HEADERS | TRACEPARENT

export const TRACEPARENT_LENGTH_MAX = 64
const FRAMING_BYTES_MAX = 16
/** Of one body as a whole. */
export const BODY_BYTES_MAX = QUEUE_LIMITS.dataBytesMax + QUEUE_LIMITS.headersBytesMax + TRACEPARENT_LENGTH_MAX + FRAMING_BYTES_MAX

export interface MessageBody {
  /** How `data` is shown to people: `json` is UTF-8 JSON text, `base64` any bytes (raw here). */
  readonly encoding: 'json' | 'base64'
  readonly data: Uint8Array
  /** JSON text of a flat object, '' : none. */
  readonly headers: string
  /** W3C trace context of the producer, '' : none. */
  readonly traceparent: string
  /** The wall clock of the gateway that took the message, ms since the epoch: for people, nothing is decided by it. */
  readonly enqueuedAt: Millis
}

const out = new ByteWriter()

export function encodeBody({ encoding, data, headers, traceparent, enqueuedAt }: MessageBody): Uint8Array {
  out.u8(VERSION | (encoding === 'base64' ? BASE64 : 0) | (headers === '' ? 0 : HEADERS) | (traceparent === '' ? 0 : TRACEPARENT))
  out.varint(Math.max(0, Math.floor(enqueuedAt)))
  if (headers !== '') out.text(headers)
  if (traceparent !== '') out.text(traceparent)
  out.raw(data)
  return out.take()
}

/** null for bytes that are no body. `data` is a view of `bytes`. */
export function decodeBody(bytes: Uint8Array): MessageBody | null {
  const input = new ByteReader(bytes)
  const flags = input.u8()
  if ((flags & VERSION_MASK) !== VERSION || (flags & ~KNOWN) !== 0) return null
  const enqueuedAt = input.varint()
  const headers = flags & HEADERS ? input.text() : ''
  const traceparent = flags & TRACEPARENT ? input.text() : ''
  const data = input.raw(input.left)
  return input.ok ? { encoding: flags & BASE64 ? 'base64' : 'json', data, headers, traceparent, enqueuedAt } : null
}
