/**
 * Plain data as bytes, for records and digests: the same value gives the same bytes on every replica and version.
 * (Envelopes are MessagePack, see actors/codec; this is the smaller cousin that the replicated state is kept in.)
 */
import type { Plain } from '../actors/envelope.ts'
import { ByteReader, ByteWriter } from './bytes.ts'

const NULL = 0
const FALSE = 1
const TRUE = 2
const INTEGER = 3
const FLOAT = 4
const TEXT = 5
const BYTES = 6
const LIST = 7
const MAP = 8
const DEPTH_MAX = 64

export function writePlain(out: ByteWriter, value: Plain): void {
  if (value === null || value === undefined) out.u8(NULL)
  else if (typeof value === 'boolean') out.u8(value ? TRUE : FALSE)
  else if (typeof value === 'number') writeNumber(out, value)
  else if (typeof value === 'string') {
    out.u8(TEXT)
    out.text(value)
  } else if (value instanceof Uint8Array) {
    out.u8(BYTES)
    out.bytes(value)
  } else if (Array.isArray(value)) {
    out.u8(LIST)
    out.varint(value.length)
    for (const item of value) writePlain(out, item)
  } else {
    const entries = Object.entries(value as { readonly [key: string]: Plain })
    out.u8(MAP)
    out.varint(entries.length)
    for (const [key, item] of entries) {
      out.text(key)
      writePlain(out, item)
    }
  }
}

function writeNumber(out: ByteWriter, value: number): void {
  if (Number.isSafeInteger(value) && value >= 0 && !Object.is(value, -0)) {
    out.u8(INTEGER)
    out.varint(value)
  } else {
    out.u8(FLOAT)
    out.f64(value)
  }
}

/** Null, and `input.ok` false, where the bytes are no value. */
export function readPlain(input: ByteReader, depth = 0): Plain {
  switch (depth > DEPTH_MAX ? -1 : input.u8()) {
    case NULL:
      return null
    case FALSE:
      return false
    case TRUE:
      return true
    case INTEGER:
      return input.varint()
    case FLOAT:
      return input.f64()
    case TEXT:
      return input.text()
    case BYTES:
      return input.bytes().slice()
    case LIST: {
      const list: Plain[] = []
      for (let left = input.varint(); left > 0 && input.ok; left--) list.push(readPlain(input, depth + 1))
      return list
    }
    case MAP: {
      const entries: [string, Plain][] = []
      for (let left = input.varint(); left > 0 && input.ok; left--) entries.push([input.text(), readPlain(input, depth + 1)])
      // Not by assignment: to `__proto__` it would lose the value.
      return Object.fromEntries(entries)
    }
    default:
      input.fail()
      return null
  }
}

/** About how many bytes the value takes on the wire. */
export function plainBytes(value: Plain): number {
  if (typeof value === 'string') return value.length + 4
  if (typeof value !== 'object' || value === null) return 8
  if (value instanceof Uint8Array) return value.length + 5
  let bytes = 4
  if (Array.isArray(value)) for (const item of value) bytes += plainBytes(item)
  else for (const [key, item] of Object.entries(value)) bytes += key.length + 2 + plainBytes(item)
  return bytes
}
